/**
 * READ_FLASH of the stub of esptool-js 0.7.0: one frame, then it waits for an acknowledge, whatever window the host
 * asked for; at the end the MD5 of what was sent. By experiment.
 */
import { readU32 } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type LoaderMachine } from '#sim/machine.ts';
import { encodeSlip } from './slip.ts';
import { Code } from './stub-flash.ts';
import { type Work } from './work.ts';

const LONGEST_FRAME = 0x1000;

interface ReadRange {
  readonly offset: number;
  readonly length: number;
  readonly frame: number;
}

export class StubRead {
  readonly #machine: LoaderMachine;
  readonly #range: ReadRange;
  readonly #fail: (code: number) => void;
  #sent = 0;
  #acknowledged = 0;

  /** `fail` gets the code that the next command is answered with. */
  constructor(machine: LoaderMachine, range: ReadRange, fail: (code: number) => void) {
    this.#machine = machine;
    this.#range = range;
    this.#fail = fail;
  }

  /** Sends the first frame. @returns whether the read is over already. */
  *start(): Work<boolean> {
    if (this.#range.frame > LONGEST_FRAME || (this.#range.frame === 0 && this.#range.length > 0)) {
      this.#fail(Code.BadLength);
      return true;
    }
    return yield* this.#goOn();
  }

  /** A frame from the host: four bytes are an acknowledge, anything else ends the read. @returns whether it is over. */
  *acknowledge(frame: Uint8Array): Work<boolean> {
    if (frame.length !== 4) {
      this.#sendDigest();
      return true;
    }
    this.#acknowledged = readU32(frame, 0);
    return yield* this.#goOn();
  }

  *#goOn(): Work<boolean> {
    const { offset, length, frame } = this.#range;
    if (this.#sent < length) {
      const from = offset + this.#sent;
      const step = Math.min(frame, length - this.#sent);
      if (from + step > this.#machine.flash.size) {
        this.#fail(Code.FlashFailed);
        return true;
      }
      this.#machine.send(encodeSlip(this.#machine.flash.bytes.subarray(from, from + step)));
      this.#sent += step;
      yield this.#machine.sendingMs;
      if (this.#sent < length) return false;
    }
    // All is sent: the end comes as soon as an acknowledge, even an early one, says that all has arrived.
    if (this.#acknowledged < length) return false;
    this.#sendDigest();
    return true;
  }

  #sendDigest(): void {
    const { offset } = this.#range;
    this.#machine.send(encodeSlip(md5(this.#machine.flash.bytes.subarray(offset, offset + this.#sent))));
  }
}
