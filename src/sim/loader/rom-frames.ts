/**
 * The ROM's SLIP reader. Its buffer is never cleared: a short frame is executed with what older frames left behind it.
 */
import { SLIP_END, SLIP_ESCAPE, unescapeSlip } from './slip.ts';

/** Larger than any frame that makes sense; what is longer is cut. */
const BUFFER_SIZE = 0x8000;

export class RomFrames {
  /** The bytes of the frame that was taken last, and of older ones behind. */
  readonly buffer = new Uint8Array(BUFFER_SIZE);
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #incoming = new Uint8Array(BUFFER_SIZE);
  #length = 0;
  #inside = false;
  #escaped = false;

  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte);
  }

  /** Makes a frame the one being executed. */
  take(frame: Uint8Array): void {
    this.buffer.set(frame);
  }

  #byte(byte: number): void {
    if (!this.#inside) {
      // Whatever lies outside is ignored.
      this.#inside = byte === SLIP_END;
      this.#length = 0;
    } else if (this.#escaped) {
      this.#escaped = false;
      this.#store(unescapeSlip(byte));
    } else if (byte === SLIP_ESCAPE) {
      this.#escaped = true;
    } else if (byte !== SLIP_END) {
      this.#store(byte);
    } else if (this.#length > 0) {
      this.#inside = false;
      this.#onFrame(this.#incoming.slice(0, this.#length));
    }
  }

  #store(byte: number): void {
    if (this.#length < BUFFER_SIZE) this.#incoming[this.#length++] = byte;
  }
}
