/** What the page and the worker of the virtual board say to each other. */
import { type PortInfo } from '#device/port.ts';

export const DEMO_CHIPS = ['esp32', 'esp32s3', 'esp32c3'] as const;
export type DemoChip = (typeof DEMO_CHIPS)[number];

/** The only network in reach of the virtual board. */
export const DEMO_NETWORK = { ssid: 'workshop', password: 'two steps ahead' } as const;

export interface DemoSettings {
  chip: DemoChip;
  /** Seconds of the board for a second of the day. */
  speed: number;
  /** See demo-faults.ts. */
  fault?: string;
  /** Bytes of flash; as boards of the chip usually have unless told. */
  flashSize?: number;
  /** What lies in its flash before anybody writes to it. */
  contents?: readonly { offset: number; bytes: Uint8Array }[];
}

/** What hands can do at the virtual board. `blank`: another board of the kind, with nothing in its flash. */
export type DemoAction = 'pull-cable' | 'plug-in' | 'hold-boot' | 'blank';

/** From the page; each is answered. */
export type DemoCall =
  | { kind: 'start'; settings: DemoSettings }
  | { kind: 'action'; action: DemoAction }
  | { kind: 'snapshot' }
  | { kind: 'pending-faults' }
  /** Something goes wrong from now on, its number counted from now; see demo-faults.ts. */
  | { kind: 'fault'; fault: string }
  | { kind: 'open'; port: number; options: { baudRate: number; bufferSize?: number } }
  | { kind: 'close'; port: number }
  | {
      kind: 'signals';
      port: number;
      signals: { dataTerminalReady?: boolean; requestToSend?: boolean; break?: boolean };
    }
  | { kind: 'write'; port: number; bytes: Uint8Array };

export type DemoRequest = DemoCall & { id: number };

/** Errors lose their class on the way; name and message are what callers go by. */
export interface SentError {
  name: string;
  message: string;
}

/** From the worker. */
export type DemoReply =
  | { kind: 'answer'; id: number; value?: unknown; error?: SentError }
  | { kind: 'arrived'; port: number; info: PortInfo }
  | { kind: 'left'; port: number }
  | { kind: 'data'; port: number; bytes: Uint8Array<ArrayBuffer> }
  /** No more bytes come from this opening of the port. */
  | { kind: 'ended'; port: number; error?: SentError };
