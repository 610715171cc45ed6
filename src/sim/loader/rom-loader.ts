/**
 * The loader in the mask ROM. It has one receive buffer and one reply buffer that it never clears, which explains most
 * of what it does with odd input: missing bytes are those of an older frame, an unknown command is answered with the
 * older answer, and the second status byte is left over. By experiment with the ROMs of ESP32 and ESP32-C3.
 */
import { concatBytes, readU32 } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { BasicPrompt, DeadProgram } from './basic-prompt.ts';
import { DATA_HEADER_SIZE, HEADER_SIZE, Op, dataChecksum, encodeAnswer, registerWrites, word } from './loader-frame.ts';
import { type LoaderMachine, type Program } from '#sim/machine.ts';
import { BlockCounter, Reason, ROM_BLOCK_LIMIT, RomFlash, type RomBlock } from './rom-flash.ts';
import { RomFrames } from './rom-frames.ts';
import { encodeSlip } from './slip.ts';
import { Worker, type Work } from './work.ts';

const EMPTY_FRAME = Uint8Array.of(0xc0, 0xc0);
/** MD5 of the ROM in bytes a millisecond; roughly. */
const MD5_RATE = 2000;
/** Somewhere in ROM: where its function for reading flash begins, until a host says otherwise. */
const ROM_READS = 0x4000_0a00;
/** What is left in secure download mode. */
const SECURE_OPS: ReadonlySet<number> = new Set([
  Op.Sync,
  Op.SpiAttach,
  Op.SpiSetParams,
  Op.ChangeBaud,
  Op.FlashBegin,
  Op.FlashData,
  Op.FlashEnd,
  Op.SecurityInfo,
]);

export class RomLoader implements Program {
  readonly #machine: LoaderMachine;
  readonly #worker: Worker;
  readonly #frames = new RomFrames((frame) => this.#queue.push(frame));
  readonly #queue: Uint8Array[] = [];
  readonly #flash: RomFlash;
  readonly #memCounter = new BlockCounter();
  readonly #reply = new Uint8Array(64 + 4);
  #memAt = 0;
  #request: Uint8Array = new Uint8Array(0);
  #op = 0;
  #answers = 0;
  #value = 0;
  #reason = 0;
  #synced = false;

  constructor(machine: LoaderMachine) {
    this.#machine = machine;
    this.#worker = new Worker(machine.clock);
    this.#flash = new RomFlash(machine.flash, machine.chip, machine.memory.romDeflateOffset);
    const { readPointer } = machine.chip;
    if (readPointer !== undefined) machine.memory.write(readPointer, ROM_READS);
  }

  receive(bytes: Uint8Array): void {
    // The rate is measured on the first SYNC.
    if (!this.#synced) this.#machine.matchBaud();
    this.#frames.push(bytes);
    this.#next();
  }

  stop(): void {
    this.#worker.stop();
    this.#machine.memory.romDeflateOffset = this.#flash.deflateOffset;
  }

  #next(): void {
    if (this.#worker.busy) return;
    const frame = this.#queue.shift();
    if (frame) this.#worker.start(this.#execute(frame), () => this.#next());
  }

  /** The payload that came, and what lies behind it in the buffer. */
  #payload(): Uint8Array {
    return this.#request.subarray(HEADER_SIZE);
  }

  *#execute(frame: Uint8Array): Work {
    this.#request = frame;
    this.#frames.take(frame);
    const buffer = this.#frames.buffer;
    const op = buffer[1] ?? 0;
    const allowed = !this.#machine.efuses.settings.secureDownload || SECURE_OPS.has(op);
    if (buffer[0] !== 0 || !allowed || !this.#knows(op)) {
      this.#fail(Reason.BadMessage);
      return;
    }
    this.#op = op;
    this.#answers = op === Op.Sync ? 8 : 1;
    if (op === Op.FlashBegin || op === Op.DeflateBegin) yield* this.#begin(op === Op.DeflateBegin);
    else if (op === Op.FlashData || op === Op.DeflateData) yield* this.#data(op === Op.DeflateData);
    else if (op === Op.FlashMd5) yield* this.#md5();
    else this.#quick(op);
  }

  #knows(op: number): boolean {
    if (op === Op.SecurityInfo) return this.#machine.efuses.securityInfo !== undefined;
    return op >= Op.FlashBegin && op <= Op.FlashMd5 && op !== 0x0c;
  }

  /** Everything that takes no time. */
  #quick(op: number): void {
    const payload = this.#payload();
    if (op === Op.Sync) this.#sync();
    else if (op === Op.ReadReg) this.#readRegister();
    else if (op === Op.WriteReg) this.#writeRegisters(payload);
    else if (op === Op.MemBegin) this.#memBegin(payload);
    else if (op === Op.MemData) this.#finish(this.#memData());
    else if (op === Op.MemEnd) this.#memEnd();
    else if (op === Op.SpiAttach) this.#finish(Reason.Ok);
    else if (op === Op.SpiSetParams) this.#setParams(payload);
    else if (op === Op.ReadFlashSlow) this.#readSlow();
    else if (op === Op.ChangeBaud) this.#changeBaud();
    else if (op === Op.SecurityInfo) this.#securityInfo();
    else this.#end(op);
  }

  #sync(): void {
    this.#synced = true;
    this.#value = readU32(this.#frames.buffer, HEADER_SIZE);
    this.#finish(Reason.Ok, { clears: true });
  }

  #readRegister(): void {
    const address = readU32(this.#frames.buffer, HEADER_SIZE);
    if (this.#machine.chip.deadlyRead(address)) {
      this.#machine.send(this.#machine.chip.panicText);
      this.#machine.start(new DeadProgram());
      return;
    }
    this.#value = this.#machine.memory.read(address);
    this.#finish(Reason.Ok, { clears: true });
  }

  #writeRegisters(payload: Uint8Array): void {
    for (const { address, value, mask } of registerWrites(payload)) this.#machine.memory.write(address, value, mask);
    this.#finish(Reason.Ok);
  }

  #setParams(payload: Uint8Array): void {
    if (payload.length !== 24) return this.#fail(Reason.BadMessage);
    this.#flash.setSize(word(payload, 1));
    this.#finish(Reason.Ok);
  }

  *#begin(compressed: boolean): Work {
    const payload = this.#payload();
    if (payload.length !== this.#machine.chip.beginBytes) return this.#fail(Reason.BadMessage);
    const words = { size: word(payload, 0), blockSize: word(payload, 2), offset: word(payload, 3) };
    this.#finish(yield* this.#flash.begin(words, compressed));
  }

  *#data(compressed: boolean): Work {
    const block = this.#block();
    const result = compressed ? yield* this.#flash.compressed(block) : yield* this.#flash.data(block);
    if (result === 'dead') this.#machine.start(new DeadProgram());
    else this.#finish(result);
  }

  #block(): RomBlock {
    const buffer = this.#frames.buffer;
    const start = HEADER_SIZE + DATA_HEADER_SIZE;
    const body = this.#request.subarray(start);
    const wanted = buffer.slice(start, start + readU32(buffer, HEADER_SIZE));
    const checksumOk = dataChecksum(body) === (buffer[4] ?? 0);
    return { body, wanted, sequence: readU32(buffer, HEADER_SIZE + 4), checksumOk };
  }

  #memBegin(payload: Uint8Array): void {
    const blockSize = word(payload, 2);
    if (payload.length !== 16 || blockSize > ROM_BLOCK_LIMIT) return this.#fail(Reason.BadMessage);
    this.#memCounter.begin(blockSize);
    this.#memAt = word(payload, 3);
    this.#finish(Reason.Ok);
  }

  #memData(): number {
    const block = this.#block();
    const refused = this.#memCounter.accept(block, false);
    if (refused) return refused;
    this.#machine.memory.load(this.#memAt, block.wanted);
    this.#memAt += block.wanted.length;
    return Reason.Ok;
  }

  #memEnd(): void {
    const buffer = this.#frames.buffer;
    const stays = readU32(buffer, HEADER_SIZE) !== 0;
    const entry = this.#request.length < 16 ? 0 : readU32(buffer, HEADER_SIZE + 4);
    this.#finish(Reason.Ok);
    const { chip, efuses } = this.#machine;
    if (stays || (chip.keepsUploadsOut && efuses.settings.secureBoot)) return;
    if (entry === 0) this.#leave();
    else this.#machine.enter(entry);
  }

  *#md5(): Work {
    const offset = readU32(this.#frames.buffer, HEADER_SIZE);
    const length = readU32(this.#frames.buffer, HEADER_SIZE + 4);
    const bytes = this.#flash.read(offset, length);
    if (!bytes) return this.#fail(Reason.FlashRead, 32);
    yield bytes.length / (this.#machine.md5Rate ?? MD5_RATE);
    this.#reply.set(hexText(md5(bytes)));
    this.#finish(Reason.Ok, { dataLength: 32, clears: true });
  }

  #readSlow(): void {
    const { chip, memory } = this.#machine;
    const reader = chip.readPointer === undefined ? ROM_READS : memory.read(chip.readPointer);
    if (reader !== ROM_READS) return this.#machine.enter(reader);
    const offset = readU32(this.#frames.buffer, HEADER_SIZE);
    const length = readU32(this.#frames.buffer, HEADER_SIZE + 4);
    if (length > 64) return this.#fail(Reason.ReadLength, 64);
    const bytes = this.#flash.read(offset, Math.ceil(length / 4) * 4);
    if (!bytes) return this.#fail(Reason.FlashRead, 64);
    this.#reply.set(bytes);
    this.#finish(Reason.Ok, { dataLength: 64 });
  }

  #securityInfo(): void {
    const info = this.#machine.efuses.securityInfo;
    if (info) this.#reply.set(info);
    this.#finish(Reason.Ok, { dataLength: 20 });
  }

  #changeBaud(): void {
    const baud = readU32(this.#frames.buffer, HEADER_SIZE);
    if (baud === 0 && this.#machine.chip.diesAtBaudZero) {
      this.#machine.start(new DeadProgram());
      return;
    }
    this.#finish(Reason.Ok);
    if (baud > 0) this.#machine.setBaud(baud, this.#machine.chip.uartDivider.romHertz);
    this.#machine.send(EMPTY_FRAME);
  }

  /** FLASH_END and FLASH_DEFL_END: the one leaves the loader unless told to reset, the other stays unless told so. */
  #end(op: number): void {
    const payload = this.#payload();
    const stays = payload.length > 0 ? payload[0] !== 0 : op === Op.FlashEnd;
    if (op === Op.FlashEnd && !this.#flash.hasBegun) {
      this.#fail(Reason.Failed);
      this.#leave();
      return;
    }
    this.#finish(Reason.Ok);
    if (!stays) {
      this.#machine.send(EMPTY_FRAME);
      this.#machine.reset('software');
    } else if (op === Op.FlashEnd) {
      this.#leave();
    }
  }

  #leave(): void {
    const { chip } = this.#machine;
    this.#machine.send(chip.leavesWith);
    this.#machine.start(chip.hasBasic ? new BasicPrompt(this.#machine) : new DeadProgram());
  }

  /** `clears`: commands that hand out a value of their own reset the left-over reason. */
  #finish(reason: number, { dataLength = 0, clears = false } = {}): void {
    if (reason !== Reason.Ok) return this.#fail(reason, dataLength);
    if (clears) this.#reason = 0;
    this.#send(0, dataLength);
  }

  #fail(reason: number, dataLength = 0): void {
    this.#reason = reason;
    this.#send(1, dataLength);
  }

  #send(status: number, dataLength: number): void {
    this.#reply[dataLength] = status;
    this.#reply[dataLength + 1] = this.#reason;
    const frame = encodeSlip(encodeAnswer(this.#op, this.#value, this.#reply.subarray(0, dataLength + 4)));
    this.#machine.send(concatBytes(...Array.from({ length: this.#answers }, () => frame)));
  }
}

const HEX_DIGITS = '0123456789abcdef';

function hexText(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 2 * bytes.length }, (_, index) => {
    const byte = bytes[index >> 1] ?? 0;
    return HEX_DIGITS.charCodeAt(index % 2 === 0 ? byte >> 4 : byte & 15);
  });
}
