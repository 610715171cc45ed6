/** The network as a test sees it: what was sent over a connection, and what the other side does. */
import { type Dial, type NetAddress } from '#device/board-http.ts';
import { type Clock, sleep } from '#clock.ts';

export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** What comes, one after the other; a number is a pause in milliseconds, an error breaks the connection. */
export type Coming = Iterable<Uint8Array | string | number | Error>;
/** As good as for ever. */
export const SILENCE = 1e9;
export const RESET = new Error('reset');

export class Wire {
  /** Everything that was sent, connection by connection. */
  readonly sent: string[] = [];
  readonly dialled: NetAddress[] = [];
  /** Connections that are not closed. */
  open = 0;
  /** Bytes that were taken from the other side. */
  taken = 0;
  readonly #clock: Clock;
  readonly #answer: (address: NetAddress) => Coming | 'refused' | 'lost' | 'send-fails';

  constructor(clock: Clock, answer: (address: NetAddress) => Coming | 'refused' | 'lost' | 'send-fails') {
    this.#clock = clock;
    this.#answer = answer;
  }

  readonly dial: Dial = async (address, { signal }) => {
    this.dialled.push(address);
    const answer = this.#answer(address);
    if (answer === 'refused') throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    if (answer === 'lost') await sleep(this.#clock, SILENCE, signal);
    const coming = answer as Coming | 'send-fails';
    const closed = new AbortController();
    const index = this.sent.push('') - 1;
    this.open++;
    return {
      send: async (bytes) => {
        if (coming === 'send-fails') throw RESET;
        this.sent[index] += text(bytes);
      },
      incoming: this.#incoming(coming === 'send-fails' ? [] : coming, closed.signal),
      close: () => {
        if (!closed.signal.aborted) this.open--;
        closed.abort();
      },
    };
  };

  async *#incoming(coming: Coming, closed: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const part of coming) {
      if (closed.aborted) return;
      if (part instanceof Error) throw part;
      if (typeof part === 'number') await sleep(this.#clock, part, closed);
      else {
        const bytes = typeof part === 'string' ? ascii(part) : part;
        this.taken += bytes.length;
        yield bytes;
      }
    }
  }
}
