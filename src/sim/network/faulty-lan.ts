/** An interface on which things go wrong, around one on which they do not. */
import { type Clock } from '#clock.ts';
import { type Lan, LanError, type LanSocket } from './lan.ts';
import { type BoardFault, type ConnectionSide, type LanFault, type NetworkFaults } from './network-faults.ts';

export interface FaultyLanOptions {
  readonly clock: Clock;
  readonly faults: NetworkFaults;
  /** Carries out what this interface cannot. */
  readonly onBoardFault?: (fault: BoardFault) => void;
}

/** Until a host gives up that gets no answer to its first packets. */
const NO_ANSWER_MS = 18_000;
const SEGMENT = 1436;

export class FaultyLan implements Lan {
  readonly #inner: Lan;
  readonly #options: FaultyLanOptions;
  readonly #sockets = new Set<FaultySocket>();
  #closed = false;

  constructor(inner: Lan, options: FaultyLanOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get address(): string {
    return this.#inner.address;
  }

  listen(port: number, onSocket: (socket: LanSocket) => void): () => void {
    return this.#inner.listen(port, (inner) => {
      const { newConnections } = this.#options.faults;
      // Too late to be refused: whoever came in is thrown out, or gets no answer until the host is there again.
      if (newConnections === 'refused') inner.destroy();
      else onSocket(this.#wrap(inner, 'accepted'));
    });
  }

  async connect(host: string, port: number): Promise<LanSocket> {
    const { faults, clock } = this.#options;
    if (faults.newConnections === 'refused') throw new LanError('refused', `Nobody listens at ${host}:${port}`);
    if (faults.newConnections === 'unreachable') {
      const back = faults.silentUntil - clock.now();
      await new Promise<void>((resolve) => clock.after(Math.min(back, NO_ANSWER_MS), resolve));
      if (back > NO_ANSWER_MS) throw new LanError('unreachable', `Nobody answers at ${host}:${port}`);
    }
    const socket = await this.#inner.connect(host, port);
    if (!this.#closed) return this.#wrap(socket, 'opened');
    socket.destroy();
    throw new LanError('unreachable', `${this.address} has left the network`);
  }

  close(): void {
    this.#closed = true;
    this.breakAll();
    this.#inner.close();
  }

  /** Every connection breaks; the interface stays. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** A fault happens, on the connection of which a byte was about to pass. */
  happen(fault: LanFault | BoardFault, socket: FaultySocket): void {
    const { faults, onBoardFault } = this.#options;
    if (fault.kind === 'stall') faults.silence(fault.ms);
    else if (fault.kind === 'slow') faults.slowDown(fault.ms, fault.bytesPerMs);
    else if (fault.kind === 'refuse') faults.refuse(fault.ms);
    else if (fault.kind === 'unreachable') faults.hide(fault.ms);
    else if (fault.kind === 'cut') socket.cut();
    else if (fault.kind === 'drop') socket.die();
    else onBoardFault?.(fault);
  }

  #wrap(inner: LanSocket, side: ConnectionSide): FaultySocket {
    const socket = new FaultySocket(inner, { ...this.#options, side, lan: this });
    this.#sockets.add(socket);
    socket.onGone = () => this.#sockets.delete(socket);
    return socket;
  }
}

interface FaultySocketOptions {
  readonly clock: Clock;
  readonly faults: NetworkFaults;
  readonly side: ConnectionSide;
  readonly lan: FaultyLan;
}

type Step = { kind: 'bytes'; bytes: Uint8Array } | { kind: 'end' } | { kind: 'close'; broken: boolean };

class FaultySocket implements LanSocket {
  onData: ((bytes: Uint8Array) => void) | undefined;
  onEnd: (() => void) | undefined;
  onClose: ((broken: boolean) => void) | undefined;
  /** For the interface: it is closed. */
  onGone: (() => void) | undefined;
  readonly #inner: LanSocket;
  readonly #side: ConnectionSide;
  readonly #in: Gate;
  readonly #out: Gate;
  #closed = false;
  #dead = false;

  constructor(inner: LanSocket, { clock, faults, side, lan }: FaultySocketOptions) {
    this.#inner = inner;
    this.#side = side;
    const count = (bytes: Uint8Array, pass: (bytes: Uint8Array) => void): void => {
      let from = 0;
      for (const { after, fault } of faults.pass(side, bytes.length)) {
        if (after > from && !this.#ceased) pass(bytes.subarray(from, after));
        from = after;
        if (!this.#ceased) lan.happen(fault, this);
      }
      if (from < bytes.length && !this.#ceased) pass(bytes.subarray(from));
    };
    const received = (bytes: Uint8Array): void => this.onData?.(bytes);
    const sent = (bytes: Uint8Array): void => inner.send(bytes);
    // A close waits behind what arrived before it, and is felt only when something passes again.
    this.#in = new Gate(clock, faults, (step) => {
      if (step.kind === 'end') this.onEnd?.();
      else if (step.kind === 'close') this.#close(step.broken);
      else if (side === 'opened') count(step.bytes, received);
      else received(step.bytes);
    });
    this.#out = new Gate(clock, faults, (step) => {
      if (step.kind !== 'bytes') inner.end();
      else if (side === 'accepted') count(step.bytes, sent);
      else sent(step.bytes);
    });
    // In small pieces, so that whoever pauses after one does not get what a real receiver would not have.
    inner.onData = (bytes) => {
      for (let at = 0; at < bytes.length; at += SEGMENT) {
        this.#in.push({ kind: 'bytes', bytes: bytes.subarray(at, at + SEGMENT) });
      }
    };
    inner.onEnd = () => this.#in.push({ kind: 'end' });
    inner.onClose = (broken) => this.#in.push({ kind: 'close', broken });
  }

  get remote(): { readonly host: string; readonly port: number } {
    return this.#inner.remote;
  }

  send(bytes: Uint8Array): void {
    if (!this.#ceased) this.#out.push({ kind: 'bytes', bytes });
  }

  end(): void {
    if (!this.#ceased) this.#out.push({ kind: 'end' });
  }

  destroy(): void {
    this.#inner.destroy();
    this.#close(true);
  }

  /** Breaks; what has passed already still arrives. */
  cut(): void {
    if (this.#side === 'opened') return this.destroy();
    this.#inner.end();
    this.#close(true);
  }

  /** Nothing comes or goes any more, and the other side is not told. */
  die(): void {
    this.#dead = true;
    this.#in.drop();
    this.#out.drop();
  }

  pause(): void {
    this.#inner.pause();
    this.#in.hold(true);
  }

  resume(): void {
    this.#inner.resume();
    this.#in.hold(false);
  }

  get #ceased(): boolean {
    return this.#closed || this.#dead;
  }

  #close(broken: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#in.drop();
    this.#out.drop();
    this.onGone?.();
    this.onClose?.(broken);
  }
}

/** One direction: lets things through in order, not before their time. */
class Gate {
  readonly #clock: Clock;
  readonly #faults: NetworkFaults;
  readonly #pass: (step: Step) => void;
  #waiting: Step[] = [];
  #cancel: (() => void) | undefined;
  #held = false;
  #dropped = false;
  #passing = false;

  constructor(clock: Clock, faults: NetworkFaults, pass: (step: Step) => void) {
    this.#clock = clock;
    this.#faults = faults;
    this.#pass = pass;
  }

  push(step: Step): void {
    if (this.#dropped) return;
    this.#waiting.push(step);
    this.#next();
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#next();
  }

  drop(): void {
    this.#dropped = true;
    this.#waiting = [];
    this.#cancel?.();
  }

  #next(): void {
    if (this.#passing || this.#cancel) return;
    this.#passing = true;
    for (let step = this.#waiting[0]; step && !this.#held && !this.#dropped; step = this.#waiting[0]) {
      const silent = this.#faults.silentUntil - this.#clock.now();
      const delay = silent > 0 ? silent : step.kind === 'bytes' ? this.#faults.delay(step.bytes.length) : 0;
      if (delay > 0) {
        this.#wait(delay, silent > 0 ? undefined : step);
        break;
      }
      this.#waiting.shift();
      this.#pass(step);
    }
    this.#passing = false;
  }

  /** Looks again after that time; a step that was only slow passes then. */
  #wait(ms: number, slow: Step | undefined): void {
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      if (this.#dropped) return;
      if (slow && this.#faults.silentUntil <= this.#clock.now() && !this.#held) {
        this.#waiting.shift();
        this.#passing = true;
        this.#pass(slow);
        this.#passing = false;
      }
      this.#next();
    });
  }
}
