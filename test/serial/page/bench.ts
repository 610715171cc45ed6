/** What the page offers to the test that drives it: plain values, which pass from one process to the other. */
import { type ReleaseFile } from '#formats/release/release.ts';
import { type BootVerdict } from '#workflows/boot-watch.ts';

export interface Usb {
  vendor: number;
  product: number;
}

export interface Job {
  /** By which it can be asked after and aborted while it runs. */
  name: string;
  files: ReleaseFile[];
  data?: Uint8Array;
  wifi?: { ssid: string; password: string };
}

export interface Outcome {
  chip?: string;
  /** Bits a second that the work was done at. */
  baud?: number;
  verdict?: BootVerdict;
  /** Code of what it failed with, or name of the platform's error. */
  error?: string;
  /** What the plan was to write. */
  writes: { offset: number; data: Uint8Array }[];
}

export interface Bench {
  list(): Promise<Usb[]>;
  provision(usb: Usb, job: Job): Promise<Outcome>;
  /** How much of a job is written, 0 to 1. */
  share(name: string): number;
  abort(name: string): void;
  /** How often a port with these ids has appeared since the page was loaded. */
  arrivals(usb: Usb): number;
}

declare global {
  interface Window {
    bench: Bench;
  }
}
