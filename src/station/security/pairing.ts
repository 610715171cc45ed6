/** The code that is printed where the station runs, and typed once into each browser on another computer. */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { type Clock } from '#clock.ts';
import { Refusal } from '../refusal.ts';

/** Without what looks alike; eight of them are 39 bits. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const LENGTH = 8;
/** Wrong codes that cost nothing: people mistype. */
const FREE_GUESSES = 3;
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 3600 * 1000;

/** @returns such as `K7QM-2XPA`. */
export function newPairingCode(): string {
  const letters = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
}

/** As it is compared: however it was typed, and always of one length. */
const digest = (code: string): Buffer =>
  createHash('sha256')
    .update(code.toUpperCase().replace(/[^A-Z0-9]/g, ''))
    .digest();

export class Pairing {
  readonly #code: Buffer;
  readonly #clock: Clock;
  #wrong = 0;
  #lockedUntil = -Infinity;

  constructor(code: string, clock: Clock) {
    this.#code = digest(code);
    this.#clock = clock;
  }

  /**
   * All who guess share one count: the code is the same for all of them.
   *
   * @throws {Refusal} `pairing-wrong`, `pairing-locked`.
   */
  check(code: string): void {
    const now = this.#clock.now();
    if (now < this.#lockedUntil) {
      throw new Refusal('pairing-locked', `${Math.ceil((this.#lockedUntil - now) / 1000)} s`);
    }
    if (timingSafeEqual(digest(code), this.#code)) {
      this.#wrong = 0;
      return;
    }
    this.#wrong++;
    const beyond = this.#wrong - FREE_GUESSES;
    if (beyond >= 0) this.#lockedUntil = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** beyond);
    throw new Refusal('pairing-wrong');
  }
}
