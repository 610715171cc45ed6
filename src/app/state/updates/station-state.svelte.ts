/** What the station knows, as it is told by its stream of events: the same in every tab and after a reload. */
import { type Clock } from '#clock.ts';
import { type BoardView, type ReleaseView, type StationEvent, type StationInfo, type UpdateView } from '#api.ts';
import { isStationFailure, type StationClient } from './station-client.ts';

export type StationContact =
  /** Nobody knows yet whether there is one. */
  | 'looking'
  /** There is none where the page came from. */
  | 'none'
  /** It wants the code that it printed. */
  | 'pairing'
  /** What it tells is current. */
  | 'live'
  /** It was there; what is shown may be old. It is tried again and again. */
  | 'lost';

/** Milliseconds until it is tried again: twice as long each time. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

export class StationState {
  contact = $state<StationContact>('looking');
  info = $state.raw<StationInfo>();
  boards = $state.raw<readonly BoardView[]>([]);
  releases = $state.raw<readonly ReleaseView[]>([]);
  /** The latest first. */
  updates = $state.raw<readonly UpdateView[]>([]);
  /** Why the last code was not taken, or there is no contact. */
  error = $state.raw<unknown>();
  readonly client: StationClient;
  readonly #clock: Clock;
  #wait = FIRST_WAIT;
  #endStream: (() => void) | undefined;
  #cancelWait: (() => void) | undefined;
  #over = false;
  #turn = 0;

  constructor(client: StationClient, clock: Clock) {
    this.client = client;
    this.#clock = clock;
  }

  /** Looks for the station, and follows it from then on until `stop`. Also what a button for trying at once does. */
  async connect(): Promise<void> {
    this.#letGo();
    this.#over = false;
    const turn = ++this.#turn;
    try {
      const info = await this.client.station();
      if (turn !== this.#turn) return;
      this.info = info;
      if (info.session === 'pair') {
        this.contact = 'pairing';
        return;
      }
      if (info.session === 'ask') await this.client.openSession();
      if (turn === this.#turn) this.#follow();
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    }
  }

  /** With the code that the station printed. */
  async pair(code: string): Promise<void> {
    this.error = undefined;
    try {
      await this.client.pair(code);
      await this.connect();
    } catch (error) {
      this.error = error;
    }
  }

  stop(): void {
    this.#over = true;
    this.#turn++;
    this.#letGo();
  }

  board(id: string | undefined): BoardView | undefined {
    return this.boards.find((board) => board.id === id);
  }

  update(id: string | undefined): UpdateView | undefined {
    return this.updates.find((update) => update.id === id);
  }

  /** What an answer tells is taken at once, not when the event comes. */
  take(event: StationEvent): void {
    switch (event.kind) {
      case 'all':
        this.info = event.station;
        this.boards = event.boards;
        this.releases = event.releases;
        this.updates = latestFirst(event.updates);
        break;
      case 'board':
        this.boards = withOne(this.boards, event.board);
        break;
      case 'board-gone':
        this.boards = this.boards.filter(({ id }) => id !== event.id);
        break;
      case 'release':
        this.releases = withOne(this.releases, event.release);
        break;
      case 'release-gone':
        this.releases = this.releases.filter(({ id }) => id !== event.id);
        break;
      case 'update':
        this.updates = latestFirst(withOne(this.updates, event.update));
        break;
      case 'station':
        this.info = event.station;
        break;
    }
  }

  #follow(): void {
    this.#endStream = this.client.listen(
      (event) => {
        if (event.kind === 'all') {
          this.contact = 'live';
          this.error = undefined;
          this.#wait = FIRST_WAIT;
        }
        this.take(event);
      },
      () => this.#lost(),
    );
  }

  #failed(error: unknown): void {
    this.error = error;
    if (isStationFailure(error, 'session-needed')) {
      this.contact = 'pairing';
      return;
    }
    const wasThere = this.info !== undefined;
    // A host of plain files does not become a station by waiting; one that is silent may be starting.
    if (!wasThere && isStationFailure(error, 'station-absent')) {
      this.contact = 'none';
      return;
    }
    this.#lost();
  }

  #lost(): void {
    this.#endStream = undefined;
    if (this.#over) return;
    this.contact = this.info === undefined ? 'none' : 'lost';
    this.#cancelWait = this.#clock.after(this.#wait, () => void this.connect());
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
  }

  #letGo(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#endStream?.();
    this.#endStream = undefined;
  }
}

const latestFirst = (updates: readonly UpdateView[]): UpdateView[] =>
  updates.toSorted((a, b) => b.startedAt - a.startedAt);

/** The list with that one in its place, or behind all others. */
function withOne<Thing extends { id: string }>(things: readonly Thing[], one: Thing): Thing[] {
  return things.some(({ id }) => id === one.id)
    ? things.map((thing) => (thing.id === one.id ? one : thing))
    : [...things, one];
}
