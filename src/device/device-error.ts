/** What can go wrong with a board, as a stable code that the page and the command line translate and act on. */
export type DeviceErrorCode =
  /** The user closed the port picker. Not a failure: show nothing. */
  | 'no-port-chosen'
  /** The port did not open, and the platform (a browser) does not say why: held by another program or tab, or gone. */
  | 'port-in-use-or-missing'
  /** Another program holds the port. Close it (serial monitor, IDE, another tab) and try again. */
  | 'port-busy'
  /** There is no such port. Check cable, driver and name. */
  | 'port-missing'
  /** The user may not open the port. On Linux: join the group `dialout` (Arch: `uucp`) and log in again. */
  | 'port-no-permission'
  /** The port did not open for a reason that is not known; the cause goes along. */
  | 'port-open-failed'
  /** The port went away in the middle of the work: cable pulled, or board without power. */
  | 'port-lost'
  /** The session was closed, or handed over to the console, while somebody still used it. */
  | 'port-closed'
  /** The port takes no more bytes. Plug it in anew. */
  | 'port-stalled'
  /** The port has no DTR and RTS, or does not set them: no automatic reset. Use the buttons, and no reset (`none`). */
  | 'no-modem-lines'
  /** The board does not answer a command that it should know. */
  | 'no-reply'
  /** The answer makes no sense: noise on the line. */
  | 'bad-reply'
  /** The board refused a command; `details.status` is its reason. */
  | 'command-refused'
  /** The loader does not know the command, e.g. in secure download mode. */
  | 'command-unknown'
  /** The board talks, but from its boot loader or app: it was not brought into download mode. Hold BOOT, tap RESET. */
  | 'normal-boot'
  /** The board says that it is in download mode, but answers nothing: the line from host to board is down. */
  | 'download-no-reply'
  /** Bytes come, but nothing readable: noise, wrong rate, or something else than an ESP32. */
  | 'unreadable'
  /** Not one byte from the board: no power, wrong port, power-only cable, or no automatic reset (hold BOOT, tap RESET). */
  | 'silent'
  /** The loader answered, but the connection did not come about in time. */
  | 'connect-timeout'
  /** A chip that this program does not know. */
  | 'unsupported-chip'
  /** Another board answers than the one the job was begun with. */
  | 'wrong-board'
  /** The board was told to restart and is still in its loader: no reset line reaches it. Press RESET. */
  | 'restart-failed'
  /** The stub loader did not start, and could not be done without. */
  | 'stub-failed'
  /** The size of the flash cannot be detected (a bad contact, or an unknown chip): the user must say it. */
  | 'flash-size-unknown'
  /** Secure download mode: nothing can be read, and so nothing verified. Nothing was sent. */
  | 'flash-access-refused'
  /** Without a stub: the ROM would take the range for one in the first 16 MB. Nothing was sent. */
  | 'beyond-rom-reach'
  /** Offset or length is not inside the flash, or not on a sector border. Nothing was sent. */
  | 'range-invalid'
  /** The board reports that it could not write, erase or read its flash. */
  | 'flash-failed'
  /** The digest of what is in flash differs from what was written; `details.offset` is the first sector that does. */
  | 'verify-failed'
  /** What was read does not have the digest that the board sent along. */
  | 'read-corrupt'
  /** The flash is blank where it was not: a command to read it arrived damaged, as the one that erases everything. */
  | 'flash-erased';

/** Facts that go along with an error, for the advice and for a support log. */
export interface DeviceErrorDetails {
  /** What the board printed while connecting. */
  text?: string;
  /** Number of the strapping pins that the ROM printed, e.g. 0x13. */
  bootMode?: number;
  /** Byte offset in flash. */
  offset?: number;
  /** Bytes. */
  length?: number;
  /** Operation code of the command. */
  command?: number;
  /** Status of the answer: reason of the ROM (01…), or code of the stub (C0…). */
  status?: number;
}

/** Everything that the device layer throws, but a user's abort, which is the platform's `AbortError`. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
  readonly code: DeviceErrorCode;
  readonly details: DeviceErrorDetails;

  constructor(code: DeviceErrorCode, message: string, options: { details?: DeviceErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Whether `error` is a `DeviceError` with one of these codes. */
export function isDeviceError(error: unknown, ...codes: DeviceErrorCode[]): error is DeviceError {
  return error instanceof DeviceError && (codes.length === 0 || codes.includes(error.code));
}
