/** Where the virtual board is. There is one at a time; one of another chip, or with other contents, takes its place. */
import { type DemoBoard } from '../demo/demo-board.ts';
import { type DemoChip } from '../demo/demo-messages.ts';
import { type BoardPlace } from './board-connection.svelte.ts';

export class DemoPlace {
  board = $state.raw<DemoBoard>();
  /** Its chip, when the user has chosen it. */
  chip = $state<DemoChip>();
  readonly #start: (chip: DemoChip) => DemoBoard;
  readonly #leaves: (board: DemoBoard) => Promise<void>;

  /** `leaves` is told of a board before its worker ends. */
  constructor(start: (chip: DemoChip) => DemoBoard, leaves: (board: DemoBoard) => Promise<void>) {
    this.#start = start;
    this.#leaves = leaves;
  }

  /** The port of the board that was there before, if it is of that chip, else of a new one; nothing when another one has taken its place meanwhile. */
  async portOf(chip: DemoChip): Promise<BoardPlace | undefined> {
    if (this.board?.chip !== chip) await this.#put(this.#start(chip));
    const { board } = this;
    if (!board) return undefined;
    let [port] = await board.list();
    // A hasty user may have chosen another one meanwhile.
    if (!port && this.board === board) {
      await board.act('plug-in');
      [port] = await board.list();
    }
    return port && this.board === board ? { port, source: board, virtual: true } : undefined;
  }

  /** That board takes the place of the one that is there. */
  async take(board: DemoBoard): Promise<void> {
    this.chip = board.chip;
    await this.#put(board);
  }

  async #put(board: DemoBoard): Promise<void> {
    const before = this.board;
    this.board = board;
    if (before) await this.#leaves(before);
    before?.end();
  }
}
