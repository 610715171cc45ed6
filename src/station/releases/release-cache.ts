import { type Release } from '#formats/release/release.ts';

/** Bytes of release files whose contents are kept. */
const MOST_BYTES = 128 * 1024 * 1024;

/** Releases that were read, those that were used last; at least one. */
export class ReleaseCache {
  readonly #kept = new Map<string, { release: Release; size: number }>();
  readonly #most: number;

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  get(id: string): Release | undefined {
    const found = this.#kept.get(id);
    if (!found) return undefined;
    // A map keeps the order of insertion: the first is the one that was not used for longest.
    this.#kept.delete(id);
    this.#kept.set(id, found);
    return found.release;
  }

  /** `size`: bytes of its file. */
  put(id: string, release: Release, size: number): void {
    this.#kept.delete(id);
    this.#kept.set(id, { release, size });
    let sum = 0;
    for (const one of this.#kept.values()) sum += one.size;
    for (const [oldest, one] of this.#kept) {
      if (sum <= this.#most || this.#kept.size === 1) return;
      this.#kept.delete(oldest);
      sum -= one.size;
    }
  }

  drop(id: string): void {
    this.#kept.delete(id);
  }
}
