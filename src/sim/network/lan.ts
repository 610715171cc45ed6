/**
 * The network as the firmware of a virtual board has it: byte streams from and to its own address. It is handed in, so that the same
 * firmware runs in the page, in modelled time (`memory-lan.ts`) and on the real network of a process (`cli/node-lan.ts`).
 */

/** One end of a byte stream. Nothing is called any more after `onClose`. */
export interface LanSocket {
  readonly remote: { readonly host: string; readonly port: number };
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** The other side sends no more. */
  onEnd: (() => void) | undefined;
  /** Once: after the end of both sides, or when it broke. */
  onClose: ((broken: boolean) => void) | undefined;
  /** Without effect after `end` or when it is closed. The bytes must not be changed any more. */
  send(bytes: Uint8Array): void;
  /** No more from this side, after what was sent. */
  end(): void;
  /** Broken at once, for both sides. */
  destroy(): void;
  /** Takes no more bytes until `resume`, which in time holds the other side back. */
  pause(): void;
  resume(): void;
}

/** Why there is no connection: nobody listens there, or nobody answers. */
export type LanErrorCode = 'refused' | 'unreachable';

export class LanError extends Error {
  override readonly name = 'LanError';
  readonly code: LanErrorCode;

  constructor(code: LanErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A network interface with an address. */
export interface Lan {
  readonly address: string;
  /** @returns a function that ends the listening; connections that are made stay. */
  listen(port: number, onSocket: (socket: LanSocket) => void): () => void;
  /** @throws {LanError} */
  connect(host: string, port: number): Promise<LanSocket>;
  /** Leaves the network: nobody listens any more, and every connection breaks. */
  close(): void;
}
