/** A file that boards can fetch: read piece by piece, and who holds a connection to it. */
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { type OfferedFile, type OfferHandle } from './board-files.ts';

/** Bytes that a connection holds in memory at most. */
const PIECE = 65_536;
/** Buffers that are kept for the next ones. */
const MOST_SPARE = 32;
const spare: Buffer[] = [];

/** A connection, as far as the file is concerned. */
export interface Recipient {
  destroy(): void;
}

export class Offer implements OfferHandle {
  readonly file: OfferedFile;
  /** Connections over which it was asked for last, as long as the board holds them. */
  readonly recipients = new Set<Recipient>();
  sent = 0;
  readonly #onServed: (range: ByteRange) => void;
  readonly #onWithdrawn: () => void;
  #handle: Promise<FileHandle> | undefined;
  #withdrawn = false;

  constructor(file: OfferedFile, onServed: (range: ByteRange) => void, onWithdrawn: () => void) {
    this.file = file;
    this.#onServed = onServed;
    this.#onWithdrawn = onWithdrawn;
  }

  get open(): boolean {
    return this.recipients.size > 0;
  }

  withdraw(): void {
    if (this.#withdrawn) return;
    this.#withdrawn = true;
    this.#onWithdrawn();
    for (const recipient of [...this.recipients]) recipient.destroy();
    this.rest();
  }

  /** Keeps the file closed until it is asked for again. */
  rest(): void {
    // A file that could not be opened was told to whoever wanted to read it.
    this.#handle?.then((handle) => handle.close()).catch(() => undefined);
    this.#handle = undefined;
  }

  /** The board has it. */
  served(range: ByteRange): void {
    if (!this.#withdrawn) this.#onServed(range);
  }

  /**
   * Hands a range over piece by piece; the next one is read when `write` is done with the one before.
   *
   * @throws {Error} when the file cannot be read, or is shorter than it was offered; whatever `write` throws.
   */
  async read([from, to]: ByteRange, write: (piece: Uint8Array) => Promise<void>): Promise<void> {
    const handle = await this.#opened();
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE);
    for (let at = from; at < to;) {
      // Not in another thread: what was uploaded lately is in the system's memory, and read there in less time than a change of threads
      // takes. The system takes it over at once, too, so that a few buffers do for hundreds of boards.
      const bytesRead = readSync(handle.fd, buffer, 0, Math.min(PIECE, to - at), at);
      if (bytesRead === 0) throw new Error(`${this.file.path} ends at ${at}, and not at ${this.file.size}`);
      await write(buffer.subarray(0, bytesRead));
      at += bytesRead;
      this.sent += bytesRead;
    }
    // Not after an error: the system may still be reading from it.
    if (spare.length < MOST_SPARE) spare.push(buffer);
  }

  async #opened(): Promise<FileHandle> {
    if (this.#withdrawn) throw new Error(`${this.file.name} was withdrawn`);
    try {
      return await (this.#handle ??= open(this.file.path));
    } catch (error) {
      this.#handle = undefined;
      throw error;
    }
  }
}
