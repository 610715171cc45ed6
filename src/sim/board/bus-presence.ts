/** Whether the board's port is on the host's bus: a native USB port leaves at each reset and comes back later. */
import { type Clock } from '#clock.ts';

/** Until a native USB port is back after a reset. */
const ENUMERATION_MS = 400;

export class BusPresence {
  /** Called when the port appears on the host's bus or leaves it. */
  onChange: ((present: boolean) => void) | undefined;
  readonly #clock: Clock;
  readonly #onLeave: () => void;
  #present = false;
  /** How often the port has appeared so far. */
  stays = 0;
  #cancel: (() => void) | undefined;

  /** `onLeave` is called before anybody outside hears of it. */
  constructor(clock: Clock, onLeave: () => void) {
    this.#clock = clock;
    this.#onLeave = onLeave;
  }

  get present(): boolean {
    return this.#present;
  }

  appear(): void {
    this.#stopWaiting();
    if (this.#present) return;
    this.#present = true;
    this.stays++;
    this.onChange?.(true);
  }

  appearLater(): void {
    this.#stopWaiting();
    this.#cancel = this.#clock.after(ENUMERATION_MS, () => this.appear());
  }

  leave(): void {
    this.#stopWaiting();
    if (!this.#present) return;
    this.#present = false;
    this.#onLeave();
    this.onChange?.(false);
  }

  #stopWaiting(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
