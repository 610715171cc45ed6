/**
 * Virtual boards on one host: where their ports come from. A board that leaves the bus and comes back has a new port
 * object each time, as in a browser.
 */
import { type VirtualEsp32 } from './virtual-esp32.ts';
import { VirtualPort, type VirtualPortOptions } from './virtual-port.ts';

interface Place {
  readonly board: VirtualEsp32;
  readonly options: VirtualPortOptions;
  port: VirtualPort | undefined;
}

export class VirtualBench {
  /** What `request` does without a board to choose: makes the error of a user who closes the picker. */
  onNothingChosen: () => Error = () => new DOMException('No port selected by the user.', 'NotFoundError');
  readonly #places: Place[] = [];
  readonly #arrived = new Set<(port: VirtualPort) => void>();
  readonly #left = new Set<(port: VirtualPort) => void>();
  #chosen: VirtualEsp32 | undefined;

  constructor(...boards: VirtualEsp32[]) {
    for (const board of boards) this.add(board);
  }

  /** Puts a board on the bench; it keeps these USB ids whenever it comes back. */
  add(board: VirtualEsp32, options: VirtualPortOptions = {}): void {
    const place: Place = { board, options, port: undefined };
    this.#places.push(place);
    board.onPresence = (present) => (present ? this.#arrive(place) : this.#leave(place));
    if (board.present) this.#arrive(place);
  }

  /** The board that the user will choose at the next `request`; undefined means the first one on the bus. */
  choose(board: VirtualEsp32 | undefined): void {
    this.#chosen = board;
  }

  /** The port of a board, as long as it is on the bus. */
  portOf(board: VirtualEsp32): VirtualPort | undefined {
    return this.#places.find((place) => place.board === board)?.port;
  }

  async list(): Promise<VirtualPort[]> {
    return this.#places.flatMap(({ port }) => (port ? [port] : []));
  }

  /** The chosen board's port, or that of the first board when none was chosen. */
  async request(): Promise<VirtualPort> {
    const board = this.#chosen ?? this.#places.find(({ port }) => port)?.board;
    const port = board && this.portOf(board);
    if (!port) throw this.onNothingChosen();
    return port;
  }

  onArrived(callback: (port: VirtualPort) => void): () => void {
    this.#arrived.add(callback);
    return () => this.#arrived.delete(callback);
  }

  onLeft(callback: (port: VirtualPort) => void): () => void {
    this.#left.add(callback);
    return () => this.#left.delete(callback);
  }

  #arrive(place: Place): void {
    place.port = new VirtualPort(place.board, place.options);
    for (const callback of this.#arrived) callback(place.port);
  }

  #leave(place: Place): void {
    const { port } = place;
    place.port = undefined;
    if (port) for (const callback of this.#left) callback(port);
  }
}
