/** A flash in memory, as true to NOR as a plan needs: writes erase whole sectors. */
import { TYPICAL_COSTS } from '#device/flash-costs.ts';
import { type FlashMemory, type FlashPart, type JobOptions, SECTOR_SIZE } from '#device/flash-memory.ts';
import { alignUp, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';

export class MemoryFlash implements FlashMemory {
  readonly bytes: Uint8Array;
  troubles = 0;
  /** All goes where it is meant to go. */
  readonly strays = [];
  readonly costs = TYPICAL_COSTS;
  /** Offsets of all writes, in order. */
  readonly writes: number[] = [];

  constructor(size: number) {
    this.bytes = new Uint8Array(size).fill(0xff);
  }

  get size(): number {
    return this.bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#check(offset, length);
    return this.bytes.slice(offset, offset + length);
  }

  async write(offset: number, data: Uint8Array, { signal, onProgress }: JobOptions = {}): Promise<void> {
    this.#check(offset, data.length);
    if (offset % SECTOR_SIZE !== 0) throw new Error('Not on a sector border');
    signal?.throwIfAborted();
    this.writes.push(offset);
    this.bytes.fill(0xff, offset, alignUp(offset + data.length, SECTOR_SIZE));
    this.bytes.set(data, offset);
    onProgress?.({ done: data.length, total: data.length });
  }

  async erase(offset: number, length: number): Promise<void> {
    this.#check(offset, length);
    this.bytes.fill(0xff, offset, offset + length);
  }

  async noteMissing(): Promise<void> {
    // Nothing goes elsewhere.
  }

  async md5(offset: number, length: number): Promise<string> {
    this.#check(offset, length);
    return toHex(md5(this.bytes.subarray(offset, offset + length)));
  }

  async holdsEach(parts: readonly FlashPart[]): Promise<boolean[]> {
    const held: boolean[] = [];
    for (const { offset, data } of parts) held.push((await this.md5(offset, data.length)) === toHex(md5(data)));
    return held;
  }

  #check(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.size) throw new RangeError('Beyond the flash');
  }
}
