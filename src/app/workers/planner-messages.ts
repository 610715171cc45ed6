/** What the page and the worker that plans say to each other. */
import { type FormatErrorPlace } from '#formats/format-error.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type ProvisionOptions } from '#workflows/provision-plan.ts';
import { type PickedFile } from './pick-files.ts';

/** The data file lies in the worker already. */
export type PlanWishes = Omit<ProvisionOptions, 'data'>;

/** What is known of a data file. */
export interface DataSummary {
  name: string;
  /** Bytes without a header that it may have brought. */
  size: number;
  /** It was packed already. */
  packed: boolean;
  /** Its first bytes as text, where they are printable. */
  tag: string | undefined;
}

export interface PlanAnswer {
  plan: FlashPlan;
  /** No board is connected: this is for a blank one with that much flash. */
  preview: boolean;
}

/** A release as one file, for a station. */
export interface PackedRelease {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export type PlannerCall =
  | { kind: 'release'; files: PickedFile[] }
  | { kind: 'data'; file: File | undefined }
  /** Without a board a plan for a blank one of the release's (first) chip. */
  | { kind: 'plan'; board: BoardState | undefined; wishes: PlanWishes }
  | { kind: 'pack'; files: PickedFile[]; data: File | undefined };

export type PlannerRequest = PlannerCall & { id: number };

/** An error with what its class carries beyond the message. */
export interface SentFailure {
  name: string;
  message: string;
  code?: string;
  place?: FormatErrorPlace;
}

export interface PlannerReply {
  id: number;
  value?: unknown;
  failure?: SentFailure;
}
