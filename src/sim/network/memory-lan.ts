/**
 * A network inside one process: any number of hosts, on a clock, with the time that bytes take. What goes wrong on it is put
 * around a host's interface (`faulty-lan.ts`).
 */
import { type Clock } from '#clock.ts';
import { concatBytes } from '#formats/bytes.ts';
import { type Lan, LanError, type LanSocket } from './lan.ts';

export interface MemoryLanOptions {
  /** Milliseconds that each byte is under way; 2 unless told otherwise. */
  readonly latency?: number;
  /** Bytes a millisecond of each direction of a connection; 1000 unless told otherwise. */
  readonly bytesPerMs?: number;
}

/** Until a host gives up that asks for the hardware address of one that is not there. */
const NO_ANSWER_MS = 3000;
const SEGMENT = 1436;
/** Bytes that a receiver takes in without its program: lwIP's default window on an ESP32. */
const WINDOW = 5744;
const FIRST_FREE_PORT = 49_152;

export class MemoryLan {
  readonly clock: Clock;
  readonly latency: number;
  readonly bytesPerMs: number;
  readonly #hosts = new Map<string, MemoryHost>();

  constructor(clock: Clock, { latency = 2, bytesPerMs = 1000 }: MemoryLanOptions = {}) {
    this.clock = clock;
    this.latency = latency;
    this.bytesPerMs = bytesPerMs;
  }

  /**
   * The interface of a host, on the network until it is closed.
   *
   * @throws {RangeError} when there is one with this address.
   */
  host(address: string): Lan {
    if (this.#hosts.has(address)) throw new RangeError(`There is a host ${address} already`);
    const host = new MemoryHost(this, address);
    this.#hosts.set(address, host);
    return host;
  }

  find(address: string): MemoryHost | undefined {
    return this.#hosts.get(address);
  }

  forget(host: MemoryHost): void {
    this.#hosts.delete(host.address);
  }
}

class MemoryHost implements Lan {
  readonly address: string;
  readonly #lan: MemoryLan;
  readonly #listeners = new Map<number, (socket: LanSocket) => void>();
  readonly #sockets = new Set<MemorySocket>();
  #nextPort = FIRST_FREE_PORT;

  constructor(lan: MemoryLan, address: string) {
    this.#lan = lan;
    this.address = address;
  }

  listen(port: number, onSocket: (socket: LanSocket) => void): () => void {
    if (this.#listeners.has(port)) throw new RangeError(`${this.address}:${port} is in use`);
    this.#listeners.set(port, onSocket);
    return () => {
      if (this.#listeners.get(port) === onSocket) this.#listeners.delete(port);
    };
  }

  async connect(host: string, port: number): Promise<LanSocket> {
    const { clock, latency } = this.#lan;
    const place = `${host}:${port}`;
    await new Promise<void>((resolve) => clock.after(latency, resolve));
    const target = this.#lan.find(host);
    if (!target) {
      await new Promise<void>((resolve) => clock.after(NO_ANSWER_MS, resolve));
      throw new LanError('unreachable', `Nobody answers at ${place}`);
    }
    const onSocket = target.#listeners.get(port);
    const near = new MemorySocket(this.#lan, { host, port });
    const far = new MemorySocket(this.#lan, { host: this.address, port: this.#nextPort++ });
    if (onSocket) {
      near.join(far);
      target.#keep(far);
      onSocket(far);
    }
    await new Promise<void>((resolve) => clock.after(latency, resolve));
    if (!onSocket) throw new LanError('refused', `Nobody listens at ${place}`);
    if (this.#lan.find(this.address) !== this) {
      near.destroy();
      throw new LanError('unreachable', `${this.address} has left the network`);
    }
    this.#keep(near);
    return near;
  }

  close(): void {
    if (this.#lan.find(this.address) === this) this.#lan.forget(this);
    this.#listeners.clear();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #keep(socket: MemorySocket): void {
    this.#sockets.add(socket);
    socket.onGone = () => this.#sockets.delete(socket);
  }
}

class MemorySocket implements LanSocket {
  readonly remote: { readonly host: string; readonly port: number };
  onData: ((bytes: Uint8Array) => void) | undefined;
  onEnd: (() => void) | undefined;
  onClose: ((broken: boolean) => void) | undefined;
  /** For the host: it is closed. */
  onGone: (() => void) | undefined;
  readonly #lan: MemoryLan;
  #peer: MemorySocket | undefined;
  /** Waits for the wire. */
  #outgoing: Uint8Array[] = [];
  #sending = false;
  #ended = false;
  #endSent = false;
  /** Bytes that are under way to the other side or wait there. */
  #unread = 0;
  /** Has arrived, and waits for `resume`. */
  #incoming: Uint8Array[] = [];
  #paused = false;
  #peerEnded = false;
  #endTold = false;
  #closed = false;

  constructor(lan: MemoryLan, remote: { host: string; port: number }) {
    this.#lan = lan;
    this.remote = remote;
  }

  join(peer: MemorySocket): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  send(bytes: Uint8Array): void {
    if (this.#closed || this.#ended || bytes.length === 0) return;
    this.#outgoing.push(bytes);
    this.#pump();
  }

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    this.#pump();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#close(true);
    const peer = this.#peer;
    if (peer) this.#lan.clock.after(this.#lan.latency, () => peer.#close(true));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#hand();
  }

  /** Puts the next segment on the wire. */
  #pump(): void {
    const peer = this.#peer;
    if (this.#sending || this.#closed || !peer) return;
    const { clock, latency, bytesPerMs } = this.#lan;
    const room = Math.min(SEGMENT, WINDOW - this.#unread);
    if (this.#outgoing.length > 0 && room > 0) {
      const segment = this.#take(room);
      this.#sending = true;
      this.#unread += segment.length;
      clock.after(segment.length / bytesPerMs, () => {
        this.#sending = false;
        this.#pump();
      });
      clock.after(latency + segment.length / bytesPerMs, () => peer.#arrived(segment));
    } else if (this.#outgoing.length === 0 && this.#ended && !this.#endSent) {
      this.#endSent = true;
      clock.after(latency, () => peer.#arrived(undefined));
    }
  }

  #take(length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = length;
    for (let next = this.#outgoing[0]; next && left > 0; next = this.#outgoing[0]) {
      const part = next.subarray(0, left);
      parts.push(part);
      left -= part.length;
      if (part.length === next.length) this.#outgoing.shift();
      else this.#outgoing[0] = next.subarray(part.length);
    }
    return concatBytes(...parts);
  }

  /** A segment, or the end of what the other side sends. */
  #arrived(segment: Uint8Array | undefined): void {
    if (this.#closed) return;
    if (segment) this.#incoming.push(segment);
    else this.#peerEnded = true;
    this.#hand();
  }

  #hand(): void {
    while (!this.#paused && !this.#closed) {
      const next = this.#incoming.shift();
      if (!next) break;
      const peer = this.#peer;
      if (peer) {
        peer.#unread -= next.length;
        peer.#pump();
      }
      this.onData?.(next);
    }
    if (this.#paused || this.#closed || !this.#peerEnded || this.#incoming.length > 0) return;
    if (!this.#endTold) {
      this.#endTold = true;
      this.onEnd?.();
    }
    this.#closeIfDone();
    const peer = this.#peer;
    if (peer) peer.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#closed && this.#endSent && this.#endTold) this.#close(false);
  }

  #close(broken: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing = [];
    this.#incoming = [];
    this.onGone?.();
    this.onClose?.(broken);
  }
}
