/**
 * SLIP as the ESP loaders use it: C0 … C0, inside DB DC for C0 and DB DD for DB (RFC 1055).
 *
 * The decoder takes each C0 as the border of two runs of bytes. So it never loses step: a stray C0 or text of the boot
 * loader makes one senseless frame, which the reader of the answers skips, and the next frame is right again.
 */

const END = 0xc0;
const ESCAPE = 0xdb;
const ESCAPED_END = 0xdc;
const ESCAPED_ESCAPE = 0xdd;

/** Longest frame in bytes that is kept; the longest true one is a 4 KiB read with its header. Longer runs are noise. */
const MAX_FRAME = 0x1_0000;

/** One border, alone: it closes a frame that the board believes to be in. */
export const SLIP_BORDER: Uint8Array<ArrayBuffer> = Uint8Array.of(END);

/**
 * Between two frames, where no loader minds it: it gives the stub time to be ready for the second. By experiment 128 zero bytes were always
 * enough, 64 were not.
 */
export const SLIP_FILLER = new Uint8Array(128);

/** The bytes on the line for one frame. */
export function encodeSlip(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  let escapes = 0;
  for (const byte of frame) if (byte === END || byte === ESCAPE) escapes++;
  const line = new Uint8Array(frame.length + escapes + 2);
  let at = 0;
  line[at++] = END;
  for (const byte of frame) {
    if (byte === END || byte === ESCAPE) {
      line[at++] = ESCAPE;
      line[at++] = byte === END ? ESCAPED_END : ESCAPED_ESCAPE;
    } else {
      line[at++] = byte;
    }
  }
  line[at] = END;
  return line;
}

/** Finds the frames in bytes that arrive in any pieces, in time linear in their number. */
export class SlipDecoder {
  readonly #onFrame: (frame: Uint8Array) => void;
  #buffer = new Uint8Array(0x2000);
  #length = 0;
  /** Before the first border nothing is a frame: text of the boot loader, the tail of an answer nobody waits for. */
  #started = false;
  #escaping = false;
  #broken = false;

  /** `onFrame` gets each frame that is not empty and not torn by a bad escape. */
  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** Whether part of a frame has come. */
  get isInside(): boolean {
    return this.#started && this.#length > 0;
  }

  /** Forgets a frame begun, and waits for the next border. */
  reset(): void {
    this.#startRun();
    this.#started = false;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === END) this.#border();
      else if (this.#started) this.#take(byte);
    }
  }

  #border(): void {
    const complete = this.#started && this.#length > 0 && !this.#broken && !this.#escaping;
    const frame = complete ? this.#buffer.slice(0, this.#length) : undefined;
    this.#startRun();
    this.#started = true;
    if (frame) this.#onFrame(frame);
  }

  #startRun(): void {
    this.#length = 0;
    this.#escaping = false;
    this.#broken = false;
  }

  #take(byte: number): void {
    if (this.#escaping) {
      this.#escaping = false;
      if (byte === ESCAPED_END) this.#store(END);
      else if (byte === ESCAPED_ESCAPE) this.#store(ESCAPE);
      else this.#broken = true;
    } else if (byte === ESCAPE) {
      this.#escaping = true;
    } else {
      this.#store(byte);
    }
  }

  #store(byte: number): void {
    if (this.#length === this.#buffer.length) {
      if (this.#length >= MAX_FRAME) {
        this.#broken = true;
        return;
      }
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer[this.#length++] = byte;
  }
}
