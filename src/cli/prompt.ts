/** Questions to whoever sits at the terminal. */
import { createInterface, type Interface } from 'node:readline';
import { type Readable } from 'node:stream';
import { type OutputStreams } from './output.ts';

export interface PromptSource {
  signal: AbortSignal;
  stdin: Readable & { isTTY?: boolean };
  streams: OutputStreams;
}

/** One for the process: lines that were typed ahead wait for the next question. */
export class Prompt {
  readonly #source: PromptSource;
  #reader: Interface | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(source: PromptSource) {
    this.#source = source;
  }

  /** Whether somebody is there to answer. */
  get isAnswered(): boolean {
    return this.#source.stdin.isTTY === true;
  }

  /**
   * The line that was typed, without blanks around it; `undefined` at the end of the input.
   *
   * @throws {DOMException} `AbortError`.
   */
  async ask(question: string): Promise<string | undefined> {
    const { stdin, streams, signal } = this.#source;
    signal.throwIfAborted();
    streams.err.write(question);
    this.#reader ??= createInterface({ input: stdin, terminal: false });
    this.#lines ??= this.#reader[Symbol.asyncIterator]();
    const aborted = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
    );
    const line: IteratorResult<string, unknown> = await Promise.race([this.#lines.next(), aborted]);
    return line.done ? undefined : line.value.trim();
  }

  /** Leaves standard input to others; the next question takes it again. */
  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#lines = undefined;
  }
}
