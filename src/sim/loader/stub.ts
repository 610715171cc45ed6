/**
 * The stub that esptool-js 0.7.0 uploads (esp-flasher-stub), as it was found by experiment: it answers data before it
 * writes them and tells a failure with the next command, checks lengths strictly and ranges not at all.
 */
import { concatBytes } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { BusyFlash } from './busy-flash.ts';
import { DATA_HEADER_SIZE, HEADER_SIZE, Op, dataChecksum, encodeAnswer, registerWrites, word } from './loader-frame.ts';
import { type LoaderMachine, type Program } from '#sim/machine.ts';
import { encodeSlip } from './slip.ts';
import { Code, StubTransfer } from './stub-flash.ts';
import { StubFrames } from './stub-frames.ts';
import { StubRead } from './stub-read.ts';
import { Worker, type Work } from './work.ts';

const GREETING = new TextEncoder().encode('OHAI');
/** MD5 of the stub in bytes a millisecond; roughly. */
const MD5_RATE = 8000;

/** Payload lengths that the commands insist on. */
const LENGTHS: Readonly<Record<number, readonly number[]>> = {
  [Op.Sync]: [36],
  [Op.ReadReg]: [4],
  [Op.MemBegin]: [16],
  [Op.MemEnd]: [8],
  [Op.SpiAttach]: [4],
  [Op.SpiSetParams]: [24],
  [Op.ChangeBaud]: [8],
  [Op.FlashBegin]: [16, 20],
  [Op.DeflateBegin]: [16, 20],
  [Op.FlashEnd]: [4],
  [Op.DeflateEnd]: [4],
  [Op.FlashMd5]: [16],
  [Op.SecurityInfo]: [0],
  [Op.EraseRegion]: [8],
  [Op.ReadFlash]: [16],
};

export class Stub implements Program {
  readonly #machine: LoaderMachine;
  readonly #worker: Worker;
  readonly #flash: BusyFlash;
  readonly #frames = new StubFrames((frame) => this.#arrived(frame));
  readonly #waiting: Uint8Array[] = [];
  #transfer: StubTransfer | undefined;
  #memory: { at: number; left: number } | undefined;
  #read: StubRead | undefined;
  /** Code of work that failed after its answer: the next command gets it and is not executed. */
  #owed = 0;
  #hangs = false;
  /** Whether the frame that is worked on still fills its buffer. */
  #holdsBuffer = false;

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

  #arrived(frame: Uint8Array): void {
    this.#waiting.push(frame);
    this.#next();
  }

  #next(): void {
    if (this.#worker.busy || this.#hangs) return;
    const frame = this.#waiting.shift();
    if (!frame) return;
    this.#holdsBuffer = true;
    this.#worker.start(this.#handle(frame), () => {
      this.#releaseBuffer();
      this.#next();
    });
  }

  #releaseBuffer(): void {
    if (this.#holdsBuffer) this.#frames.release();
    this.#holdsBuffer = false;
  }

  *#handle(frame: Uint8Array): Work {
    if (this.#read) {
      this.#releaseBuffer();
      if (yield* this.#read.acknowledge(frame)) this.#read = undefined;
      return;
    }
    const op = frame[1] ?? 0;
    const payload = frame.subarray(HEADER_SIZE);
    const declared = (frame[2] ?? 0) | ((frame[3] ?? 0) << 8);
    if (this.#owed) {
      const code = this.#owed;
      this.#owed = 0;
      this.#answer(op, code);
    } else if (frame.length < HEADER_SIZE || payload.length !== declared) {
      this.#answer(op, Code.BadLength);
    } else if (frame[0] !== 0) {
      this.#answer(op, Code.UnknownCommand);
    } else if (LENGTHS[op]?.includes(payload.length) === false) {
      this.#answer(op, Code.BadLength);
    } else if (op === Op.FlashData || op === Op.DeflateData) {
      yield* this.#data(op, payload, frame);
    } else {
      yield* this.#command(op, payload);
    }
  }

  *#command(op: number, payload: Uint8Array): Work {
    const { memory } = this.#machine;
    if (op === Op.Sync) for (let count = 0; count < 8; count++) this.#answer(op, Code.Ok);
    else if (op === Op.ReadReg) this.#answer(op, Code.Ok, { value: memory.read(word(payload, 0)) });
    else if (op === Op.WriteReg) this.#writeRegisters(op, payload);
    else if (op === Op.MemBegin) this.#memBegin(op, payload);
    else if (op === Op.MemData) this.#answer(op, this.#memData(payload));
    else if (op === Op.MemEnd) this.#memEnd(op, payload);
    else if (op === Op.SpiAttach || op === Op.SpiSetParams) this.#answer(op, Code.Ok);
    else if (op === Op.ChangeBaud) this.#changeBaud(op, word(payload, 0));
    else if (op === Op.FlashBegin || op === Op.DeflateBegin) yield* this.#begin(op, payload);
    else if (op === Op.FlashEnd || op === Op.DeflateEnd) this.#answer(op, this.#end(op));
    else if (op === Op.FlashMd5) yield* this.#md5(op, payload);
    else if (op === Op.SecurityInfo) this.#securityInfo(op);
    else if (op === Op.EraseFlash) {
      yield* this.#flash.erase();
      this.#answer(op, Code.Ok);
    } else if (op === Op.EraseRegion) yield* this.#eraseRegion(op, payload);
    else if (op === Op.ReadFlash) yield* this.#readFlash(op, payload);
    else if (op !== Op.RunUserCode) this.#answer(op, op >= 0xd5 && op <= 0xdf ? Code.NotThere : Code.UnknownCommand);
  }

  #writeRegisters(op: number, payload: Uint8Array): void {
    if (payload.length === 0 || payload.length % 16 !== 0) return this.#answer(op, Code.TooShort);
    for (const { address, value, mask } of registerWrites(payload)) this.#machine.memory.write(address, value, mask);
    this.#answer(op, Code.Ok);
  }

  #memBegin(op: number, payload: Uint8Array): void {
    this.#memory = { at: word(payload, 3), left: word(payload, 0) };
    this.#answer(op, Code.Ok);
  }

  /** The checksum is not looked at. */
  #memData(payload: Uint8Array): number {
    if (payload.length < DATA_HEADER_SIZE) return Code.TooShort;
    const data = payload.subarray(DATA_HEADER_SIZE);
    if (!this.#memory) return Code.NotBegun;
    if (word(payload, 0) !== data.length || data.length > this.#memory.left) return Code.WrongLength;
    this.#machine.memory.load(this.#memory.at, data);
    this.#memory.at += data.length;
    this.#memory.left -= data.length;
    return Code.Ok;
  }

  #memEnd(op: number, payload: Uint8Array): void {
    if (!this.#memory) return this.#answer(op, Code.NotBegun);
    this.#memory = undefined;
    this.#answer(op, Code.Ok);
    if (word(payload, 0) === 0 && word(payload, 1) !== 0) this.#machine.enter(word(payload, 1));
  }

  #changeBaud(op: number, baud: number): void {
    this.#answer(op, Code.Ok);
    if (baud > 0) this.#machine.setBaud(baud, this.#machine.chip.uartDivider.stubHertz);
  }

  *#begin(op: number, payload: Uint8Array): Work {
    const words = { size: word(payload, 0), blocks: word(payload, 1), offset: word(payload, 3) };
    this.#transfer = new StubTransfer(this.#flash, words);
    this.#answer(op, yield* this.#transfer.begin());
  }

  *#data(op: number, payload: Uint8Array, frame: Uint8Array): Work {
    const data = payload.subarray(DATA_HEADER_SIZE);
    const transfer = this.#transfer;
    if (payload.length < DATA_HEADER_SIZE) return this.#answer(op, Code.TooShort);
    if (!transfer) return this.#answer(op, Code.NotBegun);
    if (word(payload, 0) !== data.length) return this.#answer(op, Code.WrongLength);
    if (dataChecksum(data) !== word(frame, 1)) return this.#answer(op, Code.BadChecksum);
    this.#answer(op, Code.Ok);
    const result =
      op === Op.FlashData ? yield* transfer.plain(data) : yield* transfer.compressed(data, word(payload, 1));
    if (result === 'hangs') this.#hangs = true;
    else this.#owed = result;
  }

  #end(op: number): number {
    if (!this.#transfer) return Code.NotBegun;
    const { missing } = this.#transfer;
    if (op === Op.FlashEnd ? missing > 0 : missing !== 0) return Code.BadLength;
    this.#transfer = undefined;
    return Code.Ok;
  }

  *#md5(op: number, payload: Uint8Array): Work {
    const { flash } = this.#machine;
    const end = word(payload, 0) + word(payload, 1);
    if (end > flash.size) return this.#answer(op, Code.FlashFailed);
    yield* this.#flash.ready();
    // Before the wait: on a clock of real time that is when it takes its time.
    const data = md5(flash.bytes.subarray(word(payload, 0), end));
    yield word(payload, 1) / (this.#machine.md5Rate ?? MD5_RATE);
    this.#answer(op, Code.Ok, { data });
  }

  #securityInfo(op: number): void {
    const data = this.#machine.efuses.securityInfo;
    this.#answer(op, data ? Code.Ok : Code.NotThere, data ? { data } : {});
  }

  *#eraseRegion(op: number, payload: Uint8Array): Work {
    const offset = word(payload, 0);
    const length = word(payload, 1);
    if (offset % 0x1000 !== 0 || length % 0x1000 !== 0) return this.#answer(op, Code.BadLength);
    yield* this.#flash.erase({ offset, length });
    this.#answer(op, Code.Ok);
  }

  *#readFlash(op: number, payload: Uint8Array): Work {
    this.#answer(op, Code.Ok);
    this.#releaseBuffer();
    yield* this.#flash.ready();
    const range = { offset: word(payload, 0), length: word(payload, 1), frame: word(payload, 2) };
    const read = new StubRead(this.#machine, range, (code) => (this.#owed = code));
    this.#read = read;
    if (yield* read.start()) this.#read = undefined;
  }

  #answer(op: number, code: number, { value = 0, data }: { value?: number; data?: Uint8Array } = {}): void {
    const status = Uint8Array.of(code, 0);
    this.#machine.send(encodeSlip(encodeAnswer(op, value, data ? concatBytes(data, status) : status)));
  }
}
