/** What a command says: bars on a terminal, plain lines in a log, JSON lines with `--json`. */
import { type ErrorMessage } from '#messages/error-message.ts';
import { bytesText } from '#messages/units.ts';

export interface Output {
  /** Something happened; `event` and its fields are for machines, `text` for people. */
  say(event: string, fields: Record<string, unknown>, text?: string): void;
  /** How far the named phase is, in bytes. */
  progress(phase: string, done: number, total: number): void;
  /** Where several things stand that are under way at once, in a line: for a terminal alone, which has one line that changes. */
  status(line: string): void;
  /** Nothing is under way for now: what comes next stands on a line of its own. */
  rest(): void;
  error(message: ErrorMessage): void;
  /** The one result of a command: as one JSON document with `--json`, else its text. */
  document(value: unknown, text: string): void;
  /** One line on standard error, in every form of output. */
  complain(line: string): void;
}

export interface OutputStreams {
  out: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  err: { write(text: string): unknown };
}

export function createOutput(streams: OutputStreams, { json }: { json: boolean }): Output {
  if (json) return new JsonOutput(streams);
  return streams.out.isTTY ? new TerminalOutput(streams) : new LogOutput(streams);
}

/** What all forms have in common. */
class PlainOutput {
  protected readonly streams: OutputStreams;

  constructor(streams: OutputStreams) {
    this.streams = streams;
  }

  document(_value: unknown, text: string): void {
    this.streams.out.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  rest(): void {}

  complain(line: string): void {
    this.streams.err.write(`${line}\n`);
  }
}

/** Uint8Arrays never go into a record: only what is small and readable does. */
class JsonOutput extends PlainOutput implements Output {
  #lastPercent = -1;

  override document(value: unknown): void {
    this.streams.out.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  say(event: string, fields: Record<string, unknown>): void {
    this.streams.out.write(`${JSON.stringify({ event, ...fields })}\n`);
  }

  progress(phase: string, done: number, total: number): void {
    const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
    if (percent === this.#lastPercent) return;
    this.#lastPercent = percent;
    this.say('progress', { phase, done, total });
  }

  status(): void {}

  error(message: ErrorMessage): void {
    this.say('error', { ...message });
  }
}

/** Bytes from which a job takes long enough for lines about its progress. */
const WORTH_LINES = 0x8_0000;

/** A line for each phase and, of a long one, for each tenth of it. */
class LogOutput extends PlainOutput implements Output {
  #phase = '';
  #tenth = 0;

  say(_event: string, _fields: Record<string, unknown>, text?: string): void {
    if (text !== undefined) this.streams.out.write(`${text}\n`);
  }

  progress(phase: string, done: number, total: number): void {
    if (total < WORTH_LINES) return;
    const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
    if (phase === this.#phase && tenth === this.#tenth) return;
    this.#phase = phase;
    this.#tenth = tenth;
    this.streams.out.write(`${phase}: ${bytesText(done)} of ${bytesText(total)} (${tenth * 10} %)\n`);
  }

  status(): void {}

  error(message: ErrorMessage): void {
    writeError(this.streams, message);
  }
}

class TerminalOutput extends PlainOutput implements Output {
  #bar = '';

  say(_event: string, _fields: Record<string, unknown>, text?: string): void {
    if (text === undefined) return;
    this.#clear();
    this.streams.out.write(`${text}\n`);
    this.streams.out.write(this.#bar);
  }

  progress(phase: string, done: number, total: number): void {
    const share = total === 0 ? 1 : done / total;
    const tail = ` ${Math.floor(100 * share)
      .toString()
      .padStart(3)} %  ${bytesText(done)} of ${bytesText(total)}`;
    const width = Math.max(8, Math.min(40, this.#columns - phase.length - tail.length - 2));
    const filled = Math.round(width * share);
    this.#show(share >= 1 ? '' : `${phase} ${'█'.repeat(filled)}${'░'.repeat(width - filled)}${tail}`);
  }

  status(line: string): void {
    // A line that the terminal has to break cannot be cleared.
    const most = this.#columns - 1;
    const shown = line.length > most ? `${line.slice(0, most - 1)}…` : line;
    if (shown !== this.#bar) this.#show(shown);
  }

  override rest(): void {
    this.#show('');
  }

  error(message: ErrorMessage): void {
    this.rest();
    writeError(this.streams, message);
  }

  get #columns(): number {
    return this.streams.out.columns ?? 80;
  }

  #show(bar: string): void {
    this.#clear();
    this.#bar = bar;
    this.streams.out.write(bar);
  }

  #clear(): void {
    if (this.#bar !== '') this.streams.out.write('\r\u001b[K');
  }
}

function writeError({ err }: OutputStreams, { what, state, todo, code }: ErrorMessage): void {
  err.write(`${[what, state, todo].filter(Boolean).join('\n')}\n[${code}]\n`);
}
