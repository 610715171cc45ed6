/** The list of boards: found on the network, added by address, renamed, looked at, removed. */
import * as v from 'valibot';
import { AddBoardRequest, type BoardView, type FoundBoard } from '#api.ts';
import { isAbort } from '#messages/error-message.ts';
import { type StationState } from './station-state.svelte.ts';

export type SearchKind = 'mdns' | 'scan';

/** `192.168.1.57` or `192.168.1.57:8080`; names are not taken, since a name may lead anywhere. */
export function isBoardAddress(text: string): boolean {
  if (!v.is(AddBoardRequest, { address: text })) return false;
  const [host = '', port] = text.startsWith('[') ? [''] : text.split(':');
  const octets = host === '' ? [] : host.split('.').map(Number);
  return octets.every((octet) => octet <= 255) && (port === undefined || (Number(port) > 0 && Number(port) <= 0xffff));
}

export class BoardKeeping {
  searching = $state<SearchKind>();
  /** What the last search found; `undefined` before the first. */
  found = $state.raw<readonly FoundBoard[]>();
  /** Boards that something is asked of just now. */
  busy = $state.raw<readonly string[]>([]);
  adding = $state(false);
  /** Why the last of it failed. */
  error = $state.raw<unknown>();
  readonly #station: StationState;
  #controller: AbortController | undefined;

  constructor(station: StationState) {
    this.#station = station;
  }

  /** Takes up to half a minute. */
  async search(how: SearchKind): Promise<void> {
    if (this.searching) return;
    const { signal } = (this.#controller = new AbortController());
    this.searching = how;
    this.error = undefined;
    try {
      this.found = await this.#station.client.search(how, signal);
    } catch (error) {
      if (!isAbort(error)) this.error = error;
    } finally {
      this.searching = undefined;
    }
  }

  stopSearch(): void {
    this.#controller?.abort();
  }

  /** Gives the board as the station saw it; nothing when that failed. */
  async add(address: string, name?: string): Promise<BoardView | undefined> {
    this.adding = true;
    try {
      const board = await this.#ask(() => this.#station.client.addBoard(address, name));
      if (board) {
        this.#station.take({ kind: 'board', board });
        const known = this.found?.map((one) => (one.address === address ? { ...one, id: board.id } : one));
        this.found = known;
      }
      return board;
    } finally {
      this.adding = false;
    }
  }

  async change(id: string, change: { name?: string; address?: string; chip?: string }): Promise<boolean> {
    const board = await this.#about(id, () => this.#station.client.changeBoard(id, change));
    if (board) this.#station.take({ kind: 'board', board });
    return board !== undefined;
  }

  async look(id: string): Promise<void> {
    const board = await this.#about(id, () => this.#station.client.look(id));
    if (board) this.#station.take({ kind: 'board', board });
  }

  async remove(id: string): Promise<void> {
    const gone = await this.#about(id, async () => {
      await this.#station.client.removeBoard(id);
      return true;
    });
    if (gone) this.#station.take({ kind: 'board-gone', id });
  }

  async #about<T>(id: string, work: () => Promise<T>): Promise<T | undefined> {
    this.busy = [...this.busy, id];
    try {
      return await this.#ask(work);
    } finally {
      this.busy = this.busy.filter((other) => other !== id);
    }
  }

  async #ask<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.error = undefined;
    try {
      return await work();
    } catch (error) {
      this.error = error;
      return undefined;
    }
  }
}
