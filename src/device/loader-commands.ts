/**
 * Commands to the ROM loader or the stub, one at a time, with the status of the answer made plain.
 *
 * esptool-js does the packets and the chip definitions. What it times by the machine's clock or answers with a text only
 * (sync, status) is done here. Sources: esptool's serial protocol; experiments with the
 * mask ROM and with the stub of esptool-js 0.7.0.
 */
import { ESPError, ESPLoader, UnsupportedCommandError } from 'esptool-js';
import { concatBytes, writeU32, xorBytes } from '#formats/bytes.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type Link, ROM_BAUD } from './link.ts';
import { SLIP_BORDER, SLIP_FILLER } from './slip.ts';

export const Op = {
  FlashBegin: 0x02,
  FlashData: 0x03,
  FlashEnd: 0x04,
  MemBegin: 0x05,
  MemEnd: 0x06,
  MemData: 0x07,
  Sync: 0x08,
  SpiSetParams: 0x0b,
  SpiAttach: 0x0d,
  ReadFlashSlow: 0x0e,
  ChangeBaud: 0x0f,
  DeflateBegin: 0x10,
  DeflateData: 0x11,
  DeflateEnd: 0x12,
  Md5: 0x13,
  SecurityInfo: 0x14,
  EraseRegion: 0xd1,
  ReadFlash: 0xd2,
} as const;

/** Register that tells some chips apart, and that every loader reads without harm. */
export const MAGIC_REGISTER = 0x4000_1000;

/** Milliseconds for commands that do nothing long; esptool's 3 s would make a failed connect too slow. */
export const COMMAND_MS = 1000;
/** Milliseconds for an answer to SYNC. */
const SYNC_MS = 100;
/** esptool's SYNC: four bytes that say it is one, then a pattern from which the ROM measures the rate. */
const SYNC_PAYLOAD = concatBytes(Uint8Array.of(0x07, 0x07, 0x12, 0x20), new Uint8Array(32).fill(0x55));
/** Start value of the checksum of data blocks. */
const CHECKSUM_SEED = 0xef;

export interface CommandReply {
  value: number;
  /** Data between the value and the status. */
  data: Uint8Array;
}

/** One of several commands that are sent ahead. */
export interface CommandAhead {
  payload: Uint8Array;
  /** Until its answer, from the one before it on. */
  timeoutMs: number;
  /** See `CommandOptions`. */
  dataLength: number;
}

export interface CommandOptions {
  timeoutMs?: number;
  /** Of data blocks. */
  checksum?: number;
  /** Bytes of data that the answer must have before its status; a function where that depends on the length of the whole. */
  dataLength?: number | ((bodyLength: number) => number);
}

/** Little-endian 32-bit words one after the other. */
export function words(...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, index) => writeU32(bytes, 4 * index, value));
  return bytes;
}

/** XOR over the bytes, as data blocks carry it. */
export const blockChecksum = (data: Uint8Array): number => CHECKSUM_SEED ^ xorBytes(data);

export class LoaderCommands {
  readonly link: Link;
  /** esptool-js's own, for its chip definitions: they read registers through it. */
  readonly loader: ESPLoader;
  /** Whether a stub runs on the board; it answers SYNC with 0 where a ROM does not. */
  isStub = false;

  constructor(link: Link) {
    this.link = link;
    const silent = { clean: () => undefined, writeLine: () => undefined, write: () => undefined };
    this.loader = new ESPLoader({ transport: link, baudrate: ROM_BAUD, romBaudrate: ROM_BAUD, terminal: silent });
    this.loader.DEFAULT_TIMEOUT = COMMAND_MS;
  }

  /**
   * Sends a command and waits for its answer.
   *
   * @throws {DeviceError} `command-refused` with the status, `command-unknown`, `bad-reply`, `no-reply`, `port-lost`.
   */
  async command(op: number, payload: Uint8Array, options: CommandOptions = {}): Promise<CommandReply> {
    const { timeoutMs = COMMAND_MS, checksum = 0, dataLength } = options;
    const answer = await this.#exchange(op, payload, { checksum, timeoutMs });
    return replyOf(op, answer, dataLength);
  }

  /**
   * Sends commands that change nothing, each while the one before it is carried out: a stub keeps one frame meanwhile, and answers in
   * turn. What comes before an answer is lost shows in the last one, which does not come.
   *
   * @throws {DeviceError} as `command`.
   */
  async commandsAhead(
    op: number,
    commands: readonly CommandAhead[],
    onReply: (reply: CommandReply) => void,
  ): Promise<void> {
    const { link } = this;
    const send = async (index: number): Promise<void> => {
      const next = commands[index];
      if (!next) return;
      // The stub drops what comes along with the end of a frame that finds it idle. Answers may come together, and be followed by two.
      if (index > 0) await link.send(SLIP_FILLER);
      await link.write(packet(op, next.payload));
    };
    link.flushInput();
    await send(0);
    await send(1);
    for (const [index, { timeoutMs, dataLength }] of commands.entries()) {
      onReply(replyOf(op, await this.#answer(op, timeoutMs), dataLength));
      await send(index + 2);
    }
  }

  /** The value of a register. */
  async readRegister(address: number, timeoutMs = COMMAND_MS): Promise<number> {
    return (await this.command(READ_REGISTER, words(address), { timeoutMs })).value;
  }

  /**
   * Does something with esptool-js's loader, e.g. one of its chip definitions.
   *
   * @throws {DeviceError} `bad-reply`, `command-unknown`, `no-reply`, `port-lost`.
   */
  async through<T>(work: (loader: ESPLoader) => Promise<T>): Promise<T> {
    try {
      return await work(this.loader);
    } catch (error) {
      throw translate(error);
    }
  }

  /** Sends a plain frame that is no command, e.g. the acknowledge of a read. */
  async sendFrame(frame: Uint8Array): Promise<void> {
    await this.link.write(frame);
  }

  /**
   * Says SYNC up to `tries` times.
   *
   * @returns whether the loader answers; `isStub` is set then
   */
  async sync(tries: number): Promise<boolean> {
    for (let attempt = 0; attempt < tries; attempt++) {
      if (await this.#syncOnce()) return true;
    }
    return false;
  }

  /**
   * Gets back into step with a loader after a time-out. A stray border makes a stub deaf until a second one comes, so a
   * lone border is tried as well; a stub in the middle of a read swallows the first SYNC; one that erases answers late. The ROM
   * takes the first SYNC for the end of a frame that came only in part.
   *
   * @returns whether it answers again
   */
  async resync(): Promise<boolean> {
    for (const withBorder of [false, false, true, false, true, false, false, true]) {
      if (withBorder) await this.link.send(SLIP_BORDER);
      if (!(await this.#syncOnce())) continue;
      await this.link.drainInput();
      // To a stub the first command after a failed transfer may be given that transfer's error. The ROM may not know this one.
      if (!this.isStub || (await this.answersRegister()) || (await this.answersRegister())) return true;
    }
    return false;
  }

  /** Tells the loader the new rate, at the old one; the port has to follow. The ROM sends an empty frame at the new rate then. */
  async announceBaud(baud: number): Promise<void> {
    await this.command(Op.ChangeBaud, words(baud, this.isStub ? this.link.baudrate : 0));
  }

  /**
   * Sends a frame of so many bytes that asks for nothing: the stub does not know it, but refuses one that did not arrive whole in another way.
   *
   * @throws {DeviceError} `bad-reply` when bytes were lost; `no-reply`.
   */
  async echoLength(length: number): Promise<void> {
    const payload = Uint8Array.from({ length }, (_, index) => (index * 37) & 0xff);
    try {
      await this.command(UNKNOWN, payload, { timeoutMs: COMMAND_MS + (2 * length * 11_000) / this.link.baudrate });
    } catch (error) {
      if (isDeviceError(error, 'command-refused') && error.details.status === STUB_UNKNOWN_COMMAND) return;
      if (!isDeviceError(error, 'command-refused')) throw error;
      throw new DeviceError('bad-reply', 'A long frame did not arrive whole', { cause: error });
    }
    throw new DeviceError('bad-reply', 'A command that does not exist was carried out', {
      details: { command: UNKNOWN },
    });
  }

  async #exchange(
    op: number,
    payload: Uint8Array,
    { checksum, timeoutMs }: { checksum: number; timeoutMs: number },
  ): Promise<[number, Uint8Array]> {
    try {
      return await this.loader.command(op, payload, checksum, true, timeoutMs);
    } catch (error) {
      throw translate(error, op);
    }
  }

  async #answer(op: number, timeoutMs: number): Promise<[number, Uint8Array]> {
    try {
      return await this.loader.readPacket(op, timeoutMs);
    } catch (error) {
      throw translate(error, op);
    }
  }

  /** What runs on the board from now on. */
  setStub(isStub: boolean): void {
    this.isStub = isStub;
    this.loader.IS_STUB = isStub;
  }

  async #syncOnce(): Promise<boolean> {
    let isStub: boolean;
    try {
      const [value] = await this.#exchange(Op.Sync, SYNC_PAYLOAD, { checksum: 0, timeoutMs: SYNC_MS });
      isStub = value === 0;
    } catch (error) {
      if (!isDeviceError(error, 'no-reply', 'bad-reply', 'command-unknown')) throw error;
      return false;
    }
    try {
      // Seven more answers come to the one SYNC; it does not matter when there are fewer (old stubs send one).
      for (let more = 0; more < 7; more++) {
        const [value] = await this.loader.readPacket(Op.Sync, SYNC_MS);
        isStub &&= value === 0;
      }
    } catch (error) {
      if (!isDeviceError(error, 'no-reply') && !(error instanceof ESPError)) throw error;
    }
    this.setStub(isStub);
    return true;
  }

  /** Whether a plain command is answered as it should be. */
  async answersRegister(): Promise<boolean> {
    try {
      await this.readRegister(MAGIC_REGISTER, 300);
      return true;
    } catch (error) {
      if (!isDeviceError(error, 'no-reply', 'bad-reply', 'command-refused', 'command-unknown')) throw error;
      return false;
    }
  }
}

const READ_REGISTER = 0x0a;
/** A command that no loader has, and how the stub says so. */
const UNKNOWN = 0x7e;
const STUB_UNKNOWN_COMMAND = 0xc3;

/** A command as it goes over the line, without the borders. */
const packet = (op: number, payload: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(0, op, payload.length & 0xff, payload.length >> 8), words(0), payload);

function replyOf(
  op: number,
  [value, body]: [number, Uint8Array],
  wanted: CommandOptions['dataLength'] = 0,
): CommandReply {
  const dataLength = typeof wanted === 'function' ? wanted(body.length) : wanted;
  // An answer that fails carries its status alone, wherever data were due (but for the ROM's MD5, which sends old data).
  const statusAt = body.length >= dataLength + 2 ? dataLength : 0;
  const status = body[statusAt];
  if (body.length < 2 || status === undefined) {
    throw new DeviceError('bad-reply', 'The answer has no status', { details: { command: op } });
  }
  if (status !== 0) throw refusal(op, body.subarray(statusAt));
  if (body.length < dataLength + 2) {
    throw new DeviceError('bad-reply', `The answer has ${body.length} bytes`, { details: { command: op } });
  }
  return { value: value >>> 0, data: body.subarray(0, dataLength) };
}

/** The stub puts its code into the first byte of the status, the ROM a 1 there and its reason into the second. */
function refusal(op: number, status: Uint8Array): DeviceError {
  const code = status[0] === 1 ? (status[1] ?? 0) : (status[0] ?? 0);
  const text = `Command 0x${op.toString(16)} failed with status 0x${code.toString(16)}`;
  return new DeviceError('command-refused', text, { details: { command: op, status: code } });
}

/** esptool-js's errors as ours. All else passes: our own, and the reason of an aborted signal. */
function translate(error: unknown, op?: number): unknown {
  if (!(error instanceof ESPError)) return error;
  const what = op === undefined ? 'the command' : `command 0x${op.toString(16)}`;
  const options = { ...(op !== undefined && { details: { command: op } }), cause: error };
  return error instanceof UnsupportedCommandError
    ? new DeviceError('command-unknown', `The loader does not know ${what}`, options)
    : new DeviceError('bad-reply', `No sensible answer to ${what}`, options);
}
