/** What happens at the station, told to everyone who listens: of each thing only how it stands last, a few times a second. */
import { type BoardView, type ReleaseView, type StationEvent, type StationInfo, type UpdateView } from '#api.ts';
import { type Clock } from '#clock.ts';

/** Milliseconds in which what changes is gathered. */
const GATHER = 100;

/** Someone who listens; what the station says of itself depends on who asks. */
export interface Listener {
  station: () => StationInfo;
  send: (event: StationEvent) => void;
}

type Making = (listener: Listener) => StationEvent;

export class StationEvents {
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #waiting = new Map<string, Making>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  board(board: BoardView): void {
    this.#gather(`board ${board.id}`, () => ({ kind: 'board', board }));
  }

  boardGone(id: string): void {
    this.#gather(`board ${id}`, () => ({ kind: 'board-gone', id }));
  }

  release(release: ReleaseView): void {
    this.#gather(`release ${release.id}`, () => ({ kind: 'release', release }));
  }

  releaseGone(id: string): void {
    this.#gather(`release ${id}`, () => ({ kind: 'release-gone', id }));
  }

  update(update: UpdateView): void {
    this.#gather(`update ${update.id}`, () => ({ kind: 'update', update }));
  }

  station(): void {
    this.#gather('station', (listener) => ({ kind: 'station', station: listener.station() }));
  }

  close(): void {
    this.#cancel?.();
    this.#listeners.clear();
    this.#waiting.clear();
  }

  #gather(key: string, make: Making): void {
    if (this.#listeners.size === 0) return;
    this.#waiting.set(key, make);
    this.#cancel ??= this.#clock.after(GATHER, () => {
      this.#cancel = undefined;
      const makings = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const listener of this.#listeners) for (const making of makings) listener.send(making(listener));
    });
  }
}
