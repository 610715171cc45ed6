/** The ports that this page may use, with what is known of the boards behind them. */
import { type Port, type PortSource } from '#device/port.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { bridgeName } from './bridge-names.ts';

/** The browser's ports: its picker can show all of them, not only those of the usual vendors. */
export interface PickerSource extends PortSource {
  request(options?: { all?: boolean }): Promise<Port>;
}

export interface ShelfPort {
  /** Stable while the page is open; ports have no name of their own. */
  key: number;
  port: Port;
  /** What it hangs on: `CP2102 bridge`. */
  name: string;
  /** Who was behind it when it was last asked. */
  board?: { chip: string; mac: string | undefined };
}

export class PortShelf {
  ports = $state.raw<readonly ShelfPort[]>([]);
  readonly source: PickerSource;
  /** By object, as two boards of one kind have the same ids. */
  readonly #known = new WeakMap<Port, Pick<ShelfPort, 'key' | 'board'>>();
  #lastKey = 0;

  constructor(source: PickerSource) {
    this.source = source;
    source.onArrived(() => void this.refresh());
    source.onLeft(() => void this.refresh());
    void this.refresh();
  }

  async refresh(): Promise<void> {
    // Refused by a policy of the page around this one: the picker says so when it is asked for.
    const ports = await this.source.list().catch(() => []);
    this.ports = ports.map((port) => this.#entry(port)).toSorted((a, b) => a.key - b.key);
  }

  /** Remembers who is behind a port, as long as the page is open and the board stays plugged in. */
  note(port: Port, { identity }: BoardState): void {
    this.#known.set(port, {
      key: this.#known.get(port)?.key ?? ++this.#lastKey,
      board: { chip: identity.chip.title, mac: identity.mac },
    });
    void this.refresh();
  }

  #entry(port: Port): ShelfPort {
    const known = this.#known.get(port) ?? { key: ++this.#lastKey };
    this.#known.set(port, known);
    return { ...known, port, name: bridgeName(port.getInfo()) };
  }
}
