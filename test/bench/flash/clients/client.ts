/** Hosts that are measured against each other. */
import { type Port } from '#device/port.ts';
import { type FlashWrite } from '#workflows/flash-plan.ts';
import { type ProvisionGoods } from '../jobs.ts';
import { type Line } from '../lines.ts';

/** A host in touch with a board, whose stub runs at the working rate. */
export interface Session {
  /** Done when it is in flash, verified by MD5. */
  write(data: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The same, where most of it may be in the flash already. */
  update(write: FlashWrite): Promise<void>;
  read(length: number): Promise<Uint8Array>;
  provision(goods: ProvisionGoods): Promise<void>;
  close(): Promise<void>;
}

export interface Client {
  connect(port: Port, line: Line): Promise<Session>;
  /** Compresses as a write does, and nothing else. */
  compress(data: Uint8Array<ArrayBuffer>): unknown;
}
