/** Serves files to boards on a network in memory, by the station's own rules for ranges. */
import { concatBytes } from '#formats/bytes.ts';
import { type Clock } from '#clock.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '#formats/bytes.ts';
import { answerFor, fileNameOf } from '../../src/station/board-files/file-answer.ts';

interface Offered {
  bytes: Uint8Array;
  sha256: string;
  onServed: (range: ByteRange) => void;
  sockets: Set<LanSocket>;
}

export interface SeenRequest {
  method: string;
  name: string;
  range: string | undefined;
}

const latin1 = new TextDecoder('latin1');

export class MemoryFileServer {
  readonly requests: SeenRequest[] = [];
  readonly #files = new Map<string, Offered>();
  readonly #sockets = new Set<LanSocket>();
  readonly #host: Lan;
  readonly #clock: Clock;
  readonly #port: number;
  #stop: () => void = () => undefined;

  constructor(host: Lan, clock: Clock, port = 4680) {
    this.#host = host;
    this.#clock = clock;
    this.#port = port;
    this.#listen();
  }

  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nobody gets a connection for so many milliseconds. */
  refuseFor(ms: number): void {
    this.#stop();
    this.breakConnections();
    this.#clock.after(ms, () => !this.#closed && this.#listen());
  }

  #closed = false;

  #listen(): void {
    this.#stop = this.#host.listen(this.#port, (socket) => this.#take(socket));
  }

  offer(name: string, bytes: Uint8Array, onServed: (range: ByteRange) => void = () => undefined) {
    const offered: Offered = { bytes, sha256: toHex(sha256(bytes)), onServed, sockets: new Set() };
    this.#files.set(name, offered);
    return {
      get open() {
        return offered.sockets.size > 0;
      },
      withdraw: () => {
        if (this.#files.get(name) === offered) this.#files.delete(name);
        for (const socket of offered.sockets) socket.destroy();
      },
    };
  }

  /** As a process that is killed. */
  close(): void {
    this.#closed = true;
    this.#stop();
    this.#files.clear();
    this.breakConnections();
  }

  #take(socket: LanSocket): void {
    this.#sockets.add(socket);
    let waiting: Uint8Array = new Uint8Array();
    /** What was sent and is only known to have come when the board asks for more, or closes in order. */
    let unsure: (() => void) | undefined;
    let file: Offered | undefined;
    const settle = (): void => {
      unsure?.();
      unsure = undefined;
    };
    socket.onData = (bytes) => {
      waiting = concatBytes(waiting, bytes);
      for (;;) {
        const text = latin1.decode(waiting);
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        waiting = waiting.slice(end + 4);
        settle();
        file = this.#answer(socket, text.slice(0, end), (confirm) => (unsure = confirm));
      }
    };
    socket.onEnd = () => {
      settle();
      socket.end();
    };
    socket.onClose = () => {
      this.#sockets.delete(socket);
      file?.sockets.delete(socket);
    };
  }

  #answer(socket: LanSocket, head: string, later: (confirm: () => void) => void): Offered | undefined {
    const [line = '', ...lines] = head.split('\r\n');
    const [method = '', target = ''] = line.split(' ');
    const headers = Object.fromEntries(
      lines.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()]),
    );
    const name = fileNameOf(target) ?? '';
    this.requests.push({ method, name, range: headers['range'] });
    const file = this.#files.get(name);
    const answer = answerFor({ method, headers }, file && { size: file.bytes.length, sha256: file.sha256 });
    const fields = Object.entries(answer.headers).map(([key, value]) => `${key}: ${value}`);
    socket.send(new TextEncoder().encode(`HTTP/1.1 ${answer.status} X\r\n${fields.join('\r\n')}\r\n\r\n`));
    if (!file || !answer.body) return undefined;
    const { body } = answer;
    file.sockets.add(socket);
    socket.send(file.bytes.subarray(...body));
    later(() => file.onServed(body));
    return file;
  }
}
