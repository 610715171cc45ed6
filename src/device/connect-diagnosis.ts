/** Why a board could not be reached, from what it printed meanwhile. Pure. */
import { DeviceError, type DeviceErrorDetails } from './device-error.ts';

/** Share of characters that a text must have to count as one. */
const READABLE_SHARE = 0.7;

/**
 * The error for a board that never answered SYNC.
 *
 * @param bytes everything that came while connecting, oldest first
 */
export function diagnoseSilence(bytes: Uint8Array): DeviceError {
  const text = new TextDecoder().decode(bytes).replaceAll('\0', '');
  const details: DeviceErrorDetails = { text };
  if (text.length === 0) {
    return new DeviceError('silent', 'Not one byte came from the board', { details });
  }
  const mode = lastBootMode(text);
  if (mode && Number.isFinite(mode.number)) details.bootMode = mode.number;
  if (mode?.download) {
    return new DeviceError('download-no-reply', 'The board is in download mode, but does not answer', { details });
  }
  if (mode) {
    return new DeviceError('normal-boot', `The board booted normally (boot:0x${mode.number.toString(16)})`, {
      details,
    });
  }
  if (readableShare(text) >= READABLE_SHARE) {
    return new DeviceError('normal-boot', 'The board runs its app, and the reset did not reach it', { details });
  }
  return new DeviceError('unreadable', 'Bytes came, but nothing that can be read', { details });
}

/** The last `boot:0x13 (…)` of a ROM. Download mode counts when it was reached once: the other resets failed then. */
function lastBootMode(text: string): { number: number; download: boolean } | undefined {
  let last: { number: number; download: boolean } | undefined;
  for (const match of text.matchAll(/boot:(0x[0-9a-f]+) \(([^\r\n]*)\)/gi)) {
    const mode = { number: Number(match[1]), download: /DOWNLOAD|UART0?_BOOT|USB_BOOT/i.test(match[2] ?? '') };
    if (!last?.download || mode.download) last = mode;
  }
  if (!last && /waiting for download/.test(text)) return { number: Number.NaN, download: true };
  return last;
}

function readableShare(text: string): number {
  const readable = text.replaceAll(/[^\t\n\r\u0020-\u007e]/g, '').length;
  return readable / text.length;
}
