/**
 * How the stub of esptool-js 0.7.0 receives: an interrupt routine takes all waiting bytes at once, into one of two
 * buffers. A complete frame ends the batch (what lies behind it is dropped), and while both buffers are in use
 * everything is dropped. It knows no "between frames": every C0 toggles. By experiment.
 */
import { SLIP_END, SLIP_ESCAPE, unescapeSlip } from './slip.ts';

/** Longest frame that is taken: by experiment between 16472 and 16664 bytes. */
const LONGEST_FRAME = 16_500;
/** Bytes that one interrupt finds waiting, at most. */
const BATCH = 128;

export class StubFrames {
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #buffer = new Uint8Array(LONGEST_FRAME);
  #length = 0;
  #inside = false;
  #escaped = false;
  #spoiled = false;
  /** Complete frames that the main loop has not finished: the one being executed, and one that waits. */
  #pending = 0;

  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** The main loop is done with a frame; its buffer can be filled again. */
  release(): void {
    this.#pending--;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BATCH) this.#batch(bytes.subarray(at, at + BATCH));
  }

  #batch(bytes: Uint8Array): void {
    if (this.#pending >= 2) return;
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index] ?? 0;
      if (!this.#inside) {
        if (byte === SLIP_END) this.#open();
      } else if (byte === SLIP_END) {
        if (this.#close()) return;
      } else if (!this.#store(byte)) {
        return;
      }
    }
  }

  #open(): void {
    this.#inside = true;
    this.#length = 0;
    this.#escaped = false;
    this.#spoiled = false;
  }

  /** @returns whether that was a whole frame. */
  #close(): boolean {
    this.#inside = false;
    if (this.#length === 0 || this.#spoiled) return false;
    this.#pending++;
    this.#onFrame(this.#buffer.slice(0, this.#length));
    return true;
  }

  /** @returns false when the frame is too long: it is forgotten, with the rest of the batch. */
  #store(byte: number): boolean {
    if (this.#escaped) {
      this.#escaped = false;
      if (byte !== 0xdc && byte !== 0xdd) this.#spoiled = true;
      byte = unescapeSlip(byte);
    } else if (byte === SLIP_ESCAPE) {
      this.#escaped = true;
      return true;
    }
    if (this.#length === LONGEST_FRAME) {
      this.#inside = false;
      return false;
    }
    this.#buffer[this.#length++] = byte;
    return true;
  }
}
