/** The OTA task of the seed firmware, and of others made after it: one download, with the lines that it prints. */
import { MAX_SEGMENTS } from '#formats/app-image.ts';
import { error, info, type LogLine } from '#sim/boot/log-line.ts';
import { EspError, espErrorHex } from './esp-ota.ts';
import { HttpClient } from './http-client.ts';
import { HttpsOta, type HttpsOtaOptions } from './https-ota.ts';

const RESTART_PAUSE_MS = 1000;
/** `timeout_ms` of its HTTP client. */
const TIMEOUT_MS = 50_000;
const RANGE_SIZE = 65_536;
/** A header block is so long: magic, segment count, chip id and more. */
const PEEKED = 24;

export type OtaTaskOptions = Omit<HttpsOtaOptions, 'isApp' | 'timeoutMs' | 'rangeSize'> & {
  /** Of its log lines. */
  readonly tag: string;
  readonly dataForm: 'two-step' | 'none';
};

/** @returns true when the board is to restart now. */
export async function runOtaTask(given: OtaTaskOptions): Promise<boolean> {
  const { task, say, tag } = given;
  const options = { ...given, timeoutMs: TIMEOUT_MS, rangeSize: RANGE_SIZE };
  const isApp = given.dataForm === 'two-step' || (await looksLikeApp(options));
  const ota = new HttpsOta({ ...options, isApp });
  if ((await ota.begin()) !== EspError.Ok) {
    ota.abort();
    await say(error(tag, 'ESP HTTPS OTA Begin failed'));
    return false;
  }
  let result = await ota.perform();
  while (result === EspError.InProgress) {
    await say(progressLine(tag, ota));
    result = await ota.perform();
  }
  if (!ota.isComplete) {
    await say(error(tag, 'Complete data was not received.'));
    ota.abort();
    await say(error(tag, 'ESP_HTTPS_OTA upgrade failed'));
    return false;
  }
  const finished = await ota.finish();
  if (result === EspError.Ok && finished === EspError.Ok) {
    await say(info(tag, isApp ? 'ESP_HTTPS_OTA upgrade successful. Rebooting ...' : 'Data written'));
    await task.sleep(RESTART_PAUSE_MS);
    return isApp;
  }
  if (finished === EspError.ValidateFailed) await say(error(tag, 'Image validation failed, image is corrupted'));
  await say(error(tag, `ESP_HTTPS_OTA upgrade failed ${espErrorHex(finished)}`));
  return false;
}

/** The percentage is reckoned in 32 bits, which a large image overflows. */
function progressLine(tag: string, { written, imageSize }: HttpsOta): LogLine {
  const percent = Math.trunc(Math.imul(written, 100) / imageSize) | 0;
  return info(tag, `Image bytes read: ${written} / ${imageSize}, (${percent}%)`);
}

/** Downloads the first bytes by themselves: an image with segments is an app, anything else data. */
async function looksLikeApp(options: HttpsOtaOptions | Omit<HttpsOtaOptions, 'isApp'>): Promise<boolean> {
  const client = HttpClient.of({ ...options, keepsConnection: false });
  // No URL: the download will say so.
  if (!client) return true;
  const answer = await client.request('GET', `bytes=0-${PEEKED - 1}`);
  const start = await answer?.read(PEEKED);
  answer?.close();
  if (!(start instanceof Uint8Array)) return true;
  const segments = start[1] ?? 0;
  return start[0] === 0xe9 && segments > 0 && segments <= MAX_SEGMENTS;
}
