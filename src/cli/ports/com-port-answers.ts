/** Which answer of an RFC 2217 server belongs to which command: they come in any order, some unasked, some never. */
import { systemClock, withLimit } from '#clock.ts';
import { ANSWER, decodeComPort } from './com-port-option.ts';

/** An answer that somebody waits for. */
export interface Expected {
  readonly command: number;
  /** The values that it may have; any when not given. */
  readonly values?: readonly number[] | undefined;
}

interface Waiter extends Expected {
  readonly resolve: (value: number) => void;
  readonly reject: (error: Error) => void;
}

export class ComPortAnswers {
  readonly #waiters = new Set<Waiter>();

  /**
   * The value of each answer, once all have come. What comes from now on counts: to be called before the commands are sent.
   *
   * @throws what `onTimeout` makes when they have not come within `ms` milliseconds; what `fail` was given.
   */
  async wait(
    expected: readonly Expected[],
    { ms, onTimeout }: { ms: number; onTimeout: () => Error },
  ): Promise<number[]> {
    const own: Waiter[] = [];
    const answers = expected.map(
      (each) => new Promise<number>((resolve, reject) => own.push({ ...each, resolve, reject })),
    );
    for (const waiter of own) this.#waiters.add(waiter);
    try {
      return await withLimit(systemClock, Promise.all(answers), { ms, onTimeout });
    } finally {
      // An answer that comes later belongs to nobody.
      for (const waiter of own) this.#waiters.delete(waiter);
    }
  }

  /** A message of the server. States of line and modem that it tells of its own accord find nobody. */
  take(payload: Uint8Array): void {
    const message = decodeComPort(payload);
    for (const waiter of this.#waiters) {
      if (message?.command !== waiter.command + ANSWER) continue;
      if (waiter.values && !waiter.values.includes(message.value)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(message.value);
      return;
    }
  }

  /** None will come any more. */
  fail(error: Error): void {
    for (const { reject } of this.#waiters) reject(error);
  }
}
