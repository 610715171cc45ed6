/**
 * The older stub of esptool up to 5.0 (its C source was published until then), still shipped by
 * tasmota-webserial-esptool. Unlike the newer one it reports a write error with the next data block only, refuses
 * five words of BEGIN, sends several frames of READ_FLASH ahead, and reboots at FLASH_END 0.
 */
import { concatBytes, readU32 } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { BusyFlash, TransferErase } from './busy-flash.ts';
import { Inflater } from './inflate.ts';
import { DATA_HEADER_SIZE, HEADER_SIZE, Op, dataChecksum, encodeAnswer, registerWrites, word } from './loader-frame.ts';
import { type LoaderMachine, type Program } from '#sim/machine.ts';
import { FLASH_SECTOR } from '#sim/board/nor-flash.ts';
import { RomFrames } from './rom-frames.ts';
import { encodeSlip } from './slip.ts';
import { Worker, type Work } from './work.ts';

const GREETING = new TextEncoder().encode('OHAI');
const MD5_RATE = 5000;
const INFLATE_MS = 15;
const BLOCK_LIMIT = 0x4000;

const Code = {
  Ok: 0,
  /** A length test or a handler that failed where the two are joined by a logical or. */
  Plain: 0x01,
  BadLength: 0xc0,
  BadChecksum: 0xc1,
  BadBlockSize: 0xc2,
  FlashFailed: 0xc4,
  NotBegun: 0xc6,
  InflateFailed: 0xc7,
  TooShort: 0xc8,
  TooLong: 0xc9,
  NotThere: 0xff,
} as const;

/** Payload length and the code for any other. */
const LENGTHS: Readonly<Record<number, readonly [length: number, code: number]>> = {
  [Op.ReadReg]: [4, Code.BadLength],
  [Op.MemBegin]: [16, Code.BadLength],
  [Op.MemEnd]: [8, Code.BadLength],
  [Op.SpiAttach]: [4, Code.Plain],
  [Op.SpiSetParams]: [24, Code.Plain],
  [Op.ChangeBaud]: [8, Code.Plain],
  [Op.FlashBegin]: [16, Code.Plain],
  [Op.DeflateBegin]: [16, Code.Plain],
  [Op.FlashMd5]: [16, Code.Plain],
  [Op.EraseRegion]: [8, Code.Plain],
  [Op.ReadFlash]: [16, Code.Plain],
};

/** Erases as the newer stub does, but for what BEGIN starts and for blank sectors; counts down what was announced. */
class OldTransfer {
  readonly #flash: BusyFlash;
  readonly #erase: TransferErase;
  readonly inflater: Inflater;
  readonly windows: Uint8Array[] = [];
  remaining: number;
  error: number = Code.Ok;
  #writeAt: number;

  constructor(flash: BusyFlash, size: number, offset: number) {
    this.#flash = flash;
    this.#erase = new TransferErase(flash, { offset, size }, false);
    this.remaining = size;
    this.#writeAt = offset;
    this.inflater = new Inflater((bytes) => this.windows.push(bytes.slice()));
  }

  *write(data: Uint8Array): Work {
    const part = data.subarray(0, this.remaining);
    yield* this.#erase.reach(this.#writeAt + part.length);
    if (this.#writeAt + part.length > this.#flash.chip.size) this.error = Code.FlashFailed;
    else yield* this.#flash.program(this.#writeAt, part);
    this.#writeAt += part.length;
    this.remaining -= part.length;
  }

  *inflate(data: Uint8Array): Work {
    if (this.inflater.status !== 'more') return;
    this.inflater.push(data);
    for (const window of this.windows.splice(0)) {
      this.#erase.startNext();
      yield INFLATE_MS;
      yield* this.write(window);
    }
    this.#erase.startNext();
    const status: Inflater['status'] = this.inflater.status;
    if (status === 'more') return;
    yield* this.write(this.inflater.window.slice(0, this.inflater.filled));
    if (status !== 'done') this.error = Code.InflateFailed;
    else if (this.remaining > 0) this.error = Code.TooShort;
  }
}

export class OldStub implements Program {
  readonly #machine: LoaderMachine;
  readonly #worker: Worker;
  readonly #flash: BusyFlash;
  readonly #frames = new RomFrames((frame) => this.#arrived(frame));
  readonly #waiting: Uint8Array[] = [];
  #transfer: OldTransfer | undefined;
  #memory: { at: number; left: number } | undefined;
  #read: { offset: number; length: number; frame: number; window: number; sent: number } | undefined;

  constructor(machine: LoaderMachine) {
    this.#machine = machine;
    this.#worker = new Worker(machine.clock);
    this.#flash = new BusyFlash(machine.flash, machine.clock);
    machine.send(encodeSlip(GREETING));
  }

  receive(bytes: Uint8Array): void {
    this.#frames.push(bytes);
  }

  stop(): void {
    this.#worker.stop();
  }

  /** Two buffers: one frame is executed, one waits, and a further one takes the place of that. */
  #arrived(frame: Uint8Array): void {
    this.#waiting.length = Math.min(this.#waiting.length, 1);
    if (this.#worker.busy) this.#waiting.length = 0;
    this.#waiting.push(frame);
    this.#next();
  }

  #next(): void {
    const frame = this.#worker.busy ? undefined : this.#waiting.shift();
    if (frame) this.#worker.start(this.#handle(frame), () => this.#next());
  }

  *#handle(frame: Uint8Array): Work {
    if (this.#read) return this.#acknowledged(frame);
    const op = frame[1] ?? 0;
    const payload = frame.subarray(HEADER_SIZE);
    const length = LENGTHS[op];
    if (length && length[0] !== payload.length) return this.#answer(op, length[1]);
    if (op === Op.FlashData || op === Op.DeflateData) yield* this.#data(op, payload, word(frame, 1));
    else if (op === Op.FlashBegin || op === Op.DeflateBegin) this.#begin(op, payload);
    else if (op === Op.FlashEnd || op === Op.DeflateEnd) this.#end(op, payload);
    else if (op === Op.FlashMd5) yield* this.#md5(op, payload);
    else if (op === Op.EraseFlash || op === Op.EraseRegion) yield* this.#erase(op, payload);
    else this.#quick(op, payload);
  }

  #quick(op: number, payload: Uint8Array): void {
    const { memory, efuses } = this.#machine;
    if (op === Op.Sync) for (let count = 0; count < 8; count++) this.#answer(op, Code.Ok);
    else if (op === Op.ReadReg) this.#answer(op, Code.Ok, { value: memory.read(word(payload, 0)) });
    else if (op === Op.WriteReg) this.#writeRegisters(op, payload);
    else if (op === Op.MemBegin) {
      this.#memory = { at: word(payload, 3), left: word(payload, 0) };
      this.#answer(op, Code.Ok);
    } else if (op === Op.MemData) this.#answer(op, this.#memData(payload));
    else if (op === Op.MemEnd) {
      this.#answer(op, Code.Ok);
      if (word(payload, 1) !== 0) this.#machine.enter(word(payload, 1));
    } else if (op === Op.SpiAttach || op === Op.SpiSetParams) this.#answer(op, Code.Ok);
    else if (op === Op.ChangeBaud) {
      this.#answer(op, Code.Ok);
      this.#machine.setBaud(word(payload, 0), this.#machine.chip.uartDivider.stubHertz);
    } else if (op === Op.SecurityInfo && efuses.securityInfo) this.#answer(op, Code.Ok, { data: efuses.securityInfo });
    else if (op === Op.ReadFlash) this.#readFlash(op, payload);
    else if (op === Op.RunUserCode) this.#machine.reset('software');
    else this.#answer(op, Code.NotThere);
  }

  #writeRegisters(op: number, payload: Uint8Array): void {
    if (payload.length === 0 || payload.length % 16 !== 0) return this.#answer(op, Code.BadLength);
    for (const { address, value, mask } of registerWrites(payload)) this.#machine.memory.write(address, value, mask);
    this.#answer(op, Code.Ok);
  }

  #memData(payload: Uint8Array): number {
    const data = payload.subarray(DATA_HEADER_SIZE);
    if (!this.#memory || data.length > this.#memory.left) return Code.TooLong;
    this.#machine.memory.load(this.#memory.at, data);
    this.#memory.at += data.length;
    this.#memory.left -= data.length;
    return Code.Ok;
  }

  #begin(op: number, payload: Uint8Array): void {
    if (word(payload, 2) > BLOCK_LIMIT) return this.#answer(op, Code.BadBlockSize);
    this.#transfer = new OldTransfer(this.#flash, word(payload, 0), word(payload, 3));
    this.#answer(op, Code.Ok);
  }

  *#data(op: number, payload: Uint8Array, checksum: number): Work {
    const data = payload.subarray(DATA_HEADER_SIZE);
    const transfer = this.#transfer;
    if (!transfer) return this.#answer(op, Code.NotBegun);
    let code = transfer.error;
    transfer.error = Code.Ok;
    if (word(payload, 0) !== data.length) code = Code.BadLength;
    else if (data.length > BLOCK_LIMIT) code = Code.TooLong;
    else if (dataChecksum(data) !== (checksum & 0xff)) code = Code.BadChecksum;
    this.#answer(op, code);
    if (code !== Code.Ok) return;
    yield* op === Op.FlashData ? transfer.write(data) : transfer.inflate(data);
  }

  #end(op: number, payload: Uint8Array): void {
    const transfer = this.#transfer;
    if (!transfer) return this.#answer(op, Code.NotBegun);
    if (transfer.remaining > 0) return this.#answer(op, Code.TooShort);
    this.#transfer = undefined;
    this.#answer(op, transfer.error);
    if (transfer.error === Code.Ok && word(payload, 0) === 0) this.#machine.reset('software');
  }

  *#md5(op: number, payload: Uint8Array): Work {
    const { flash } = this.#machine;
    const end = word(payload, 0) + word(payload, 1);
    if (end > flash.size) return this.#answer(op, Code.Plain);
    yield* this.#flash.ready();
    yield word(payload, 1) / (this.#machine.md5Rate ?? MD5_RATE);
    this.#answer(op, Code.Ok, { data: md5(flash.bytes.subarray(word(payload, 0), end)) });
  }

  *#erase(op: number, payload: Uint8Array): Work {
    const [offset, length] = [word(payload, 0), word(payload, 1)];
    if (op === Op.EraseRegion && (offset % FLASH_SECTOR !== 0 || length % FLASH_SECTOR !== 0)) {
      return this.#answer(op, Code.Plain);
    }
    yield* op === Op.EraseFlash ? this.#flash.erase() : this.#flash.erase({ offset, length });
    this.#answer(op, Code.Ok);
  }

  #readFlash(op: number, payload: Uint8Array): void {
    this.#answer(op, Code.Ok);
    const [offset, length, frame, window] = [0, 1, 2, 3].map((index) => word(payload, index)) as [
      number,
      number,
      number,
      number,
    ];
    if (frame === 0 || frame > BLOCK_LIMIT) return;
    this.#read = { offset, length, frame, window: window * frame, sent: 0 };
    this.#sendAhead(0);
  }

  #acknowledged(frame: Uint8Array): void {
    if (frame.length === 4) this.#sendAhead(readU32(frame, 0));
    else this.#read = undefined;
  }

  /** As many frames as may be under way; when all have arrived, the MD5 of all. */
  #sendAhead(arrived: number): void {
    const read = this.#read;
    if (!read) return;
    const { bytes } = this.#machine.flash;
    while (read.sent < read.length && read.sent - arrived < Math.max(read.window, 1)) {
      const step = Math.min(read.frame, read.length - read.sent);
      this.#machine.send(encodeSlip(bytes.subarray(read.offset + read.sent, read.offset + read.sent + step)));
      read.sent += step;
    }
    if (arrived < read.length) return;
    this.#read = undefined;
    this.#machine.send(encodeSlip(md5(bytes.subarray(read.offset, read.offset + read.length))));
  }

  #answer(op: number, code: number, { value = 0, data }: { value?: number; data?: Uint8Array } = {}): void {
    const status = Uint8Array.of(code, 0);
    this.#machine.send(encodeSlip(encodeAnswer(op, value, data ? concatBytes(data, status) : status)));
  }
}
