/**
 * One connection of a board to the listener for files: requests one after the other, and what of the answers the board really has.
 *
 * That all bytes were given to the system says little: they may be on their way when the board loses its power or gives up. A board has
 * them when it asks for more, or closes the connection in order. ESP-IDF resets it when it closes it with something unread. What it has not
 * even received then makes it send the reset a moment later, so behind the last byte of a file the own half stays open for that moment.
 */
import { STATUS_CODES } from 'node:http';
import { type Socket } from 'node:net';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { answerFor, type FileAnswer, fileNameOf } from './file-answer.ts';
import { type Offer, type Recipient } from './offer.ts';
import { HEAD_LIMIT, parseRequestHead, type RequestHead } from './request-head.ts';

/** Milliseconds. */
export interface ConnectionLimits {
  /** For the first request to be complete. */
  request: number;
  /** For the next one: the board writes flash meanwhile. */
  idle: number;
  /** For the board to take anything: it may be erasing a whole slot. */
  stalled: number;
  /** For the board to close a connection by itself of which it wanted no more. */
  close: number;
  /** For a reset to arrive behind the end of a connection: there and back over a bad Wi-Fi. */
  reset: number;
  /** Between two looks at whether a connection is past its time: cheaper than a timer for each. */
  look: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  request: 15_000,
  idle: 180_000,
  stalled: 180_000,
  close: 300,
  reset: 1000,
  look: 1000,
};

const END_OF_HEAD = '\r\n\r\n';

interface Sent {
  offer: Offer;
  range: ByteRange;
}

export class BoardConnection implements Recipient {
  readonly #socket: Socket;
  readonly #offerNamed: (name: string) => Offer | undefined;
  readonly #limits: ConnectionLimits;
  /** What came and was not looked at, one character a byte. */
  #received = '';
  #isAnswering = false;
  #isEnded = false;
  /** Whether the next request was sent before the last answer was complete: it says nothing of that one. */
  #isAhead = false;
  /** Given to the system, and perhaps still on its way. */
  #sent: Sent[] = [];
  #holds: Offer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of `performance.now()`. */
  #deadline = 0;

  constructor(socket: Socket, offerNamed: (name: string) => Offer | undefined, limits: ConnectionLimits) {
    this.#socket = socket;
    this.#offerNamed = offerNamed;
    this.#limits = limits;
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('end', () => {
      this.#isEnded = true;
      if (!this.#isAnswering) this.#leave();
    });
    socket.on('error', () => this.#forget()); // 'close' follows
    socket.on('close', () => this.#forget());
    this.#within(limits.request);
  }

  /** Nothing that is still on its way gets there. */
  destroy(): void {
    this.#forget();
    this.#socket.resetAndDestroy();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#sent = [];
    this.#hold(undefined);
  }

  #hold(offer: Offer | undefined): void {
    this.#holds?.recipients.delete(this);
    this.#holds = offer;
    offer?.recipients.add(this);
  }

  #within(ms: number): void {
    this.#deadline = performance.now() + ms;
  }

  /** Ends it when it is past its time. */
  look(now: number): void {
    if (now > this.#deadline) this.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received += bytes.toString('latin1');
    if (!this.#isAnswering) this.#next();
    // Whoever sends on and on without reading has to wait.
    else if (this.#received.length > HEAD_LIMIT) this.#socket.pause();
  }

  /** Answers what was received, if that is a whole request. */
  #next(): void {
    const end = this.#received.indexOf(END_OF_HEAD);
    if (end < 0 && this.#received.length <= HEAD_LIMIT) return;
    if (end < 0 || end > HEAD_LIMIT) return this.#refuse(431);
    const head = parseRequestHead(this.#received.slice(0, end));
    if (!head) return this.#refuse(400);
    this.#received = this.#received.slice(end + END_OF_HEAD.length);
    if (!this.#isAhead) this.#confirm();
    this.#isAnswering = true;
    this.#answer(head).then(
      () => this.#answered(head),
      // The connection broke, or the file cannot be read: half an answer must not look like a whole one.
      () => this.destroy(),
    );
  }

  #refuse(status: 400 | 431): void {
    this.#socket.end(headText(status, { 'Content-Length': 0, Connection: 'close' }), 'latin1');
    this.#socket.removeAllListeners('data').resume();
  }

  async #answer(head: RequestHead): Promise<void> {
    const name = fileNameOf(head.target);
    const offer = name === undefined ? undefined : this.#offerNamed(name);
    this.#hold(offer);
    this.#within(this.#limits.stalled);
    const { status, headers, body }: FileAnswer = answerFor(head, offer?.file);
    const isLast = !head.keepAlive || head.hasBody;
    let text = headText(status, { ...headers, Connection: isLast ? 'close' : 'keep-alive' });
    if (!offer || !body) return this.#write(text);
    await offer.read(body, async (piece) => {
      await this.#write(text, piece);
      text = '';
      this.#within(this.#limits.stalled);
    });
    this.#sent.push({ offer, range: body });
  }

  /** Head and first piece leave together. */
  #write(text: string, piece?: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error | null): void => (error ? reject(error) : resolve());
      this.#socket.cork();
      if (text !== '') this.#socket.write(text, 'latin1', piece ? undefined : done);
      if (piece) this.#socket.write(piece, done);
      this.#socket.uncork();
    });
  }

  #answered({ keepAlive, hasBody }: RequestHead): void {
    this.#isAnswering = false;
    this.#isAhead = this.#received !== '';
    if (this.#socket.destroyed) return;
    if (this.#isEnded) return this.#leave();
    if (!keepAlive || hasBody) {
      // The board closes by itself, as a rule; that says more than being closed.
      this.#socket.removeAllListeners('data').resume();
      this.#after(this.#limits.close, () => this.#socket.end());
      return;
    }
    this.#within(this.#limits.idle);
    this.#socket.resume();
    this.#next();
  }

  #after(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
    this.#within(this.#limits.idle);
  }

  /** The board has closed its half. */
  #leave(): void {
    this.#hold(undefined);
    const isWhole = this.#sent.some(({ offer, range }) => range[1] === offer.file.size);
    if (!isWhole || this.#socket.writableEnded) {
      this.#confirm();
      this.#socket.destroy(); // what is still on its way goes on
      return;
    }
    // Writing nothing fails on a connection that was reset behind its end, where nobody would be told otherwise.
    this.#after(this.#limits.reset, () => {
      this.#socket.write('', (error) => {
        if (!error) this.#confirm();
        this.#socket.end();
      });
    });
  }

  #confirm(): void {
    for (const { offer, range } of this.#sent.splice(0)) offer.served(range);
  }
}

function headText(status: number, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ ...headers, Date: new Date().toUTCString() }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n');
}
