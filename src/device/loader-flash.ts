/**
 * Flash by way of the loader that runs on the board: the stub (flash-transfer.ts) or the ROM (rom-transfer.ts). One try at each thing;
 * persist.ts has the second ones. Ranges are checked before they come here.
 */
import { type FlashRange } from './flash-memory.ts';

/** Bytes ready to be sent: as a zlib stream, or as they are. */
export interface PackedData {
  /** Bytes in flash; a multiple of four. */
  length: number;
  body: Uint8Array<ArrayBuffer>;
  compressed: boolean;
}

export interface WriteTransfer {
  offset: number;
  packed: PackedData;
  /** Gets the share of the transfer that is acknowledged, 0 to 1. */
  onShare: (share: number) => void;
}

export interface ReadTransfer {
  into: Uint8Array;
  offset: number;
  onRead: (received: number) => void;
}

export interface LoaderFlash {
  /** Bytes of one transfer: of a write, about; of a read and of a write after a failure at most, and it ends on multiples of them. */
  readonly units: { readonly write: number; readonly read: number; readonly retry: number };
  /** Takes compressed data, and writes just what they expand to. */
  readonly inflates: boolean;

  /**
   * Erases the sectors that the data touch, and writes them. Not verified.
   *
   * @throws {DeviceError} `command-refused`, `no-reply`, `bad-reply`; how much is written is not known then.
   */
  write(transfer: WriteTransfer): Promise<void>;

  /** Erases whole sectors. */
  erase(range: FlashRange): Promise<void>;

  /** Digest of a range as the board computes it, 32 lower-case hex digits. */
  md5(range: FlashRange): Promise<string>;

  /** Digests of several ranges in turn, each asked for while the board computes the one before it; where the loader can do that. */
  md5Each?(ranges: readonly FlashRange[], onDigest: (digest: string) => void): Promise<void>;

  /**
   * Reads a range and compares it with the board's own digest.
   *
   * @throws {DeviceError} `read-corrupt`, `bad-reply`, `no-reply`, `command-refused`.
   */
  read(transfer: ReadTransfer): Promise<void>;
}
