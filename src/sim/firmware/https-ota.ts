/**
 * `esp_https_ota` with partial downloads, as a firmware without server certificates runs it. Source: ESP-IDF
 * components/esp_https_ota/src/esp_https_ota.c, by version.
 */
import { readU16 } from '#formats/bytes.ts';
import { greatestRevision, leastRevision } from '#formats/image-verify.ts';
import { decodeImageHeader } from '#formats/app-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { AppSubtype, type Partition } from '#formats/partition-table.ts';
import { error, info, type LogLine, warning } from '#sim/boot/log-line.ts';
import { type Lan } from '#sim/network/lan.ts';
import { type OtaContext, setBootPartition } from './app-ota.ts';
import { EspError, espErrorHex, espErrorName, nextUpdatePartition, OtaWriter } from './esp-ota.ts';
import { type HttpAnswer } from './http-answer.ts';
import { HttpClient } from './http-client.ts';
import { type Task } from './task.ts';

/** `esp_ota_set_boot_partition`; an otadata that has no room for another entry cannot be written. */
function selectSlot(context: OtaContext, { subtype }: Partition): EspError {
  try {
    return setBootPartition(context, subtype - AppSubtype.Ota0);
  } catch (cause) {
    if (cause instanceof FormatError) return EspError.NotFound;
    throw cause;
  }
}

/** What differs between versions and configurations of ESP-IDF. */
export interface HttpsOtaTraits {
  /** Bytes that are read before anything is written, and at a time after that: 289 in 4.4, 1024 from 5.0 on. */
  readonly block: number;
  /** The header's chip id is compared before the first write; 4.4.0 does not. */
  readonly checksChipId: boolean;
  /** So is the chip's revision; from 5.5 on. */
  readonly checksRevision: boolean;
  readonly erasesSectorTooMany: boolean;
  /** 4.4.0–4.4.6, 5.0.0–5.0.4, 5.1.0–5.1.2: a failure to select the new slot is not told. */
  readonly hidesBootFailure: boolean;
  /** `bulk_flash_erase`: 'whole' in 4.4, as much as the image needs in later versions. */
  readonly bulkErase: false | 'whole' | 'image';
  /** `CONFIG_ESP_HTTPS_OTA_ALLOW_HTTP`; without it nothing is ever downloaded, not even by http. */
  readonly allowsHttp: boolean;
  /** How the failure of a broken connection is worded: before 5.2 with the number of the error. */
  readonly namesErrno: boolean;
}

export interface HttpsOtaOptions {
  readonly task: Task;
  readonly lan: Lan;
  readonly url: string;
  readonly timeoutMs: number;
  /** Bytes that are asked for at a time. */
  readonly rangeSize: number;
  readonly traits: HttpsOtaTraits;
  readonly context: OtaContext;
  readonly running: Partition;
  /** Whether the download is to be an app. Data that are not are written as they are, and never selected; from 5.5 on. */
  readonly isApp: boolean;
  readonly keepsConnection?: boolean;
  readonly say: (...lines: LogLine[]) => Promise<void>;
}

const TAG = 'esp_https_ota';

export class HttpsOta {
  readonly #options: HttpsOtaOptions;
  #client: HttpClient | undefined;
  #answer: HttpAnswer | undefined;
  #writer: OtaWriter | undefined;
  #target: Partition | undefined;
  #succeeded = false;
  /** By the server's answer to HEAD; -1 when it does not say. */
  imageSize = -1;
  /** Bytes that are in flash. */
  written = 0;

  constructor(options: HttpsOtaOptions) {
    this.#options = options;
  }

  get isComplete(): boolean {
    return this.written === this.imageSize;
  }

  async begin(): Promise<EspError> {
    const { traits, context, running, rangeSize, say } = this.#options;
    if (!traits.allowsHttp) {
      await say(error(TAG, 'No option for server verification is enabled in esp_http_client config.'));
      return EspError.InvalidArgument;
    }
    await say(warning(TAG, 'Continuing with insecure option because CONFIG_ESP_HTTPS_OTA_ALLOW_HTTP is set.'));
    this.#client = HttpClient.of(this.#options);
    if (!this.#client) {
      await say(error('HTTP_CLIENT', `Error parse url ${this.#options.url}`));
      await say(error(TAG, 'Failed to initialise HTTP connection'));
      return EspError.Fail;
    }
    if (!(await this.#readSize(this.#client))) return EspError.Fail;
    const range = this.imageSize > rangeSize ? `bytes=0-${rangeSize - 1}` : undefined;
    if (!(await this.#connect(range))) return EspError.Fail;
    await say(info(TAG, 'Starting OTA...'));
    this.#target = nextUpdatePartition(context.partitions, running);
    if (!this.#target) {
      await say(error(TAG, 'Passive OTA partition not found'));
      return EspError.Fail;
    }
    const { subtype, offset } = this.#target;
    await say(info(TAG, `Writing to partition subtype ${subtype} at offset 0x${offset.toString(16)}`));
    return EspError.Ok;
  }

  /** One step. @returns `InProgress` while there is more to do. */
  async perform(): Promise<EspError> {
    return this.#writer ? this.#goOn(this.#writer) : this.#start();
  }

  /** Verifies, and selects the new app. */
  async finish(): Promise<EspError> {
    const { context, isApp, traits, say } = this.#options;
    const ended = (await this.#writer?.end()) ?? EspError.InvalidArgument;
    this.abort();
    if (ended !== EspError.Ok || !this.#succeeded || !isApp || !this.#target) return ended;
    const selected = selectSlot(context, this.#target);
    if (selected === EspError.Ok) return EspError.Ok;
    await say(error(TAG, `esp_ota_set_boot_partition failed! err=${espErrorHex(selected)}`));
    return traits.hidesBootFailure ? EspError.Ok : selected;
  }

  /** Ends the connection; what was written stays. */
  abort(): void {
    this.#client?.close();
  }

  async #readSize(client: HttpClient): Promise<boolean> {
    const { say } = this.#options;
    const head = await client.request('HEAD');
    head?.close();
    if (!head) await say(error(TAG, 'ESP HTTP client perform failed: -1'));
    else if (head.status !== 200) await say(error(TAG, `Received incorrect http status ${head.status}`));
    else this.imageSize = head.contentLength;
    return head?.status === 200;
  }

  /** The next request for the file, over a new connection. */
  async #connect(range: string | undefined): Promise<boolean> {
    const { say } = this.#options;
    const answer = await this.#client?.request('GET', range);
    if (answer && answer.status < 400) {
      this.#answer = answer;
      return true;
    }
    answer?.close();
    if (!answer) await say(error(TAG, 'Failed to open HTTP connection: ESP_ERR_HTTP_CONNECT'));
    else if (answer.status === 403 || answer.status === 404) await say(error(TAG, `File not found(${answer.status})`));
    else if (answer.status < 500) await say(error(TAG, `Client error (${answer.status})`));
    else await say(error(TAG, `Server error (${answer.status})`));
    await say(error(TAG, 'Failed to establish HTTP connection'));
    return false;
  }

  /** The first step: the slot is begun, and the header block looked at before it is written. */
  async #start(): Promise<EspError> {
    const { traits, isApp, say } = this.#options;
    const { bulkErase } = traits;
    const erase = bulkErase === 'image' ? { bytes: Math.max(0, this.imageSize) } : bulkErase || 'sequential';
    const target = this.#target;
    if (!target) return EspError.Fail;
    const writer = new OtaWriter({ ...this.#options, ...traits, target, checked: isApp, erase });
    const begun = await writer.begin();
    if (begun !== EspError.Ok) {
      await say(error(TAG, `esp_ota_begin failed (${espErrorName(begun)})`));
      return begun;
    }
    this.#writer = writer;
    const block = await this.#answer?.read(traits.block);
    if (!(block instanceof Uint8Array) || block.length < traits.block) {
      if (block === 'closed') await say(error(TAG, 'Connection closed, errno = 128'));
      await say(error(TAG, 'Complete headers were not received'));
      return EspError.Fail;
    }
    const refused = isApp ? await this.#checkHeader(block) : EspError.Ok;
    return refused === EspError.Ok ? this.#write(writer, block) : refused;
  }

  async #checkHeader(block: Uint8Array): Promise<EspError> {
    const { traits, context, say } = this.#options;
    const chipId = readU16(block, 12);
    if (traits.checksChipId && chipId !== context.chipId) {
      await say(error(TAG, `Mismatch chip id, expected ${context.chipId}, found ${chipId}`));
      return EspError.InvalidVersion;
    }
    if (!traits.checksRevision) return EspError.Ok;
    const header = decodeImageHeader(block);
    const least = leastRevision(header);
    const greatest = greatestRevision(header) ?? Number.POSITIVE_INFINITY;
    if (context.chipRevision >= least && context.chipRevision <= greatest) return EspError.Ok;
    const bound = context.chipRevision < least ? `>= ${least}` : `<= ${greatest}`;
    await say(error(TAG, `Image requires chip rev ${bound}, but chip is ${context.chipRevision}`));
    return EspError.InvalidVersion;
  }

  async #write(writer: OtaWriter, bytes: Uint8Array): Promise<EspError> {
    const result = await writer.write(bytes);
    if (result !== EspError.Ok) {
      await this.#options.say(error(TAG, `Error: esp_ota_write failed! err=${espErrorHex(result)}`));
      return result;
    }
    this.written += bytes.length;
    return EspError.InProgress;
  }

  async #goOn(writer: OtaWriter): Promise<EspError> {
    const { traits, rangeSize, say } = this.#options;
    const bytes = (await this.#answer?.read(traits.block)) ?? 'closed';
    if (bytes instanceof Uint8Array) return this.#write(writer, bytes);
    // It never gives up a server that is silent: it asks again, and waits as long.
    if (bytes === 'timeout') return EspError.InProgress;
    if (bytes === 'closed') {
      const text = traits.namesErrno
        ? 'Connection closed, errno = 128'
        : 'Connection closed before complete data was received!';
      await say(error(TAG, text));
      return EspError.Fail;
    }
    this.#succeeded = this.isComplete;
    if (this.written >= this.imageSize) return EspError.Ok;
    this.#answer?.close();
    const last = this.imageSize - this.written > rangeSize ? this.written + rangeSize - 1 : '';
    return (await this.#connect(`bytes=${this.written}-${last}`)) ? EspError.InProgress : EspError.Fail;
  }
}
