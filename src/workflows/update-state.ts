/**
 * Where a two-step update stands: its facts, its positions, what can happen to it, what can fail and be chosen. What follows from what is in
 * `two-step-ota.ts`. Every state is plain JSON, so that it can be kept and shown.
 */
import { type RunningSlot, type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { type ByteRange } from './byte-ranges.ts';

/** What is downloaded. */
export const TRANSFERS = ['app', 'data', 'restore'] as const;
export type Transfer = (typeof TRANSFERS)[number];

/** What is known before a run begins. It does not change, but that a way back can turn out to be none. */
export interface RunFacts {
  /** What the run is to do, in this order: app and data, or one of them. */
  readonly steps: readonly ('app' | 'data')[];
  /** Where the app ran from. */
  readonly from: RunningSlot;
  /** Bytes of each file that may be downloaded. Without `restore` there is no way back. */
  readonly sizes: Readonly<Partial<Record<Transfer, number>>>;
  /** What the board's page shows of its data (hex of up to ten bytes), before the run and with each file in place. */
  readonly shown: Readonly<Partial<Record<'before' | 'data' | 'restore', string>>>;
  /** Milliseconds that a new app is on trial before it confirms itself; 0 for firmware without rollback. */
  readonly trialMs: number;
}

/** How a transfer failed. */
export const FAILURES = [
  /** The board did not take the request: it was not reachable, or did not understand. */
  'unreachable',
  /** It took the request and did not fetch the file. */
  'refused',
  /** The connection is open and no byte has moved for a long time. */
  'stalled',
  /** The download ended before its end; the board answers. */
  'broken-off',
  /** Everything was fetched, and the board runs its old app: it did not accept the new one, or went back to it. */
  'back-on-old',
  /** The board does not answer any more and was not found. */
  'gone',
  /** Everything was fetched, and the board shows other data. */
  'other-data',
  /** The board runs another slot than the transfer needs: somebody else updated it. */
  'other-slot',
  /** Before anything was asked of it the board shows other data than it was planned with: somebody else updated it. */
  'changed',
  /** The user stopped it. */
  'stopped',
] as const;
export type Failure = (typeof FAILURES)[number];

/** What can be done after a failure. */
export const CHOICES = [
  /** The same transfer once more. */
  'retry',
  /** Put the old data back into the slot where the new app should have gone. */
  'restore',
  /** Look for the board again. */
  'look',
  /** End the run; the board stays as it is. */
  'leave',
] as const;
export type Choice = (typeof CHOICES)[number];

/** `complete`: every step. `restored`: the old app with its old data. `left`: as it was when the user gave up. `cancelled`: untouched. */
export type Outcome = 'complete' | 'restored' | 'left' | 'cancelled';

/** Counts from 1; each is one request to the board. */
export interface Attempt {
  readonly transfer: Transfer;
  readonly attempt: number;
}

/** The failure that a decision answers. */
export interface FailedAttempt extends Attempt {
  readonly failure: Failure;
}

/** The transfer is under way and its file is offered under a name of its own. */
export interface Offer extends Attempt {
  /** Name under which the file is served: new for each attempt. */
  readonly file: string;
  /** What was fetched so far. */
  readonly served: readonly ByteRange[];
}

/** A board that answers somewhere on the network and could be the one. */
export interface Candidate {
  readonly address: string;
  readonly mac?: string;
  /** What its page says of it. */
  readonly project?: string;
  readonly version?: string;
  readonly running?: RunningSlot;
}

export type Position =
  /** Nothing was done. */
  | { readonly at: 'ready' }
  /** Lets an earlier download die, then looks at the board. */
  | ({ readonly at: 'preparing' } & Attempt)
  /** The board is asked to download. After a crash here it may have been or not. */
  | ({ readonly at: 'asking' } & Offer)
  /** It was, and has not fetched anything yet. */
  | ({ readonly at: 'waiting' } & Offer)
  | ({ readonly at: 'downloading' } & Offer)
  /** All was fetched; the board writes the rest, checks, and for an app restarts. */
  | ({ readonly at: 'arriving' } & Offer)
  /** It does not answer where it was. */
  | ({ readonly at: 'searching' } & Offer)
  /** Several boards could be it: the user says which. */
  | ({ readonly at: 'picking'; readonly candidates: readonly Candidate[] } & Offer)
  /** The new app runs, on trial. */
  | ({ readonly at: 'confirming' } & Offer)
  | ({ readonly at: 'deciding' } & FailedAttempt & Offer)
  | { readonly at: 'ended'; readonly outcome: Outcome };

export interface UpdateState {
  readonly facts: RunFacts;
  /** Where the board is, such as `192.168.1.57` or `192.168.1.57:8080`. */
  readonly address: string;
  readonly position: Position;
  /** What each slot holds, as far as it is known. */
  readonly slots: Readonly<Record<SlotName, SlotContent>>;
}

export type SlotContent =
  'old-app' | 'old-data' | 'new-app' | 'new-data' | 'part-of-app' | 'part-of-data' | 'nothing-known';

export type UpdateEvent =
  | { readonly event: 'start' }
  /** The board's page; of no use to a run are pages that do not tell the running slot. */
  | { readonly event: 'page'; readonly running?: RunningSlot; readonly shown?: string }
  /** The board is as the transfer needs it, and the file is offered under this name. */
  | { readonly event: 'prepared'; readonly running?: RunningSlot; readonly shown?: string; readonly file: string }
  /** The board took the request. */
  | { readonly event: 'answered' }
  /** It did not. `delivered`: it may have got it all the same. */
  | { readonly event: 'unanswered'; readonly delivered: boolean }
  /** What has been fetched in all. */
  | { readonly event: 'served'; readonly ranges: readonly ByteRange[] }
  /**
   * The time of this position is over. `answers`: the board's page can be read; `open`: it still holds a connection to the file; `sent`: some of
   * the file was on its way to it, whether it has it or not.
   */
  | { readonly event: 'expired'; readonly answers: boolean; readonly open?: boolean; readonly sent?: boolean }
  | { readonly event: 'found'; readonly candidates: readonly Candidate[] }
  /** The user says which board it is. */
  | { readonly event: 'picked'; readonly address: string }
  | { readonly event: 'decided'; readonly choice: Choice }
  | { readonly event: 'stop' };

/** What the run does with a board that holds `facts`. */
export function initialState(facts: RunFacts, address: string): UpdateState {
  const other = updateSlot(facts.from);
  const slots: Record<SlotName, SlotContent> = { PA: 'nothing-known', PB: 'nothing-known' };
  if (facts.from !== 'factory') slots[facts.from] = 'old-app';
  slots[other] = facts.sizes.restore === undefined && facts.shown.before === undefined ? 'nothing-known' : 'old-data';
  return { facts, address, position: { at: 'ready' }, slots };
}

/** The slot from which the board must run for a transfer, which then goes into the other one. */
export const runsFor = ({ steps, from }: RunFacts, transfer: Transfer): RunningSlot =>
  transfer === 'data' && steps.includes('app') ? updateSlot(from) : from;

/** The slot that a transfer writes to. */
export const targetOf = (facts: RunFacts, transfer: Transfer): SlotName => updateSlot(runsFor(facts, transfer));

/** What failed, where there is something to decide. */
export function failedAttempt({ position }: UpdateState): FailedAttempt | undefined {
  if (position.at !== 'deciding') return undefined;
  const { transfer, attempt, failure } = position;
  return { transfer, attempt, failure };
}

/** What the user can choose in this state; nothing when there is nothing to decide. */
export function choicesOf({ facts, position }: UpdateState): readonly Choice[] {
  if (position.at !== 'deciding') return [];
  const { transfer, failure } = position;
  // What the old app would download goes where the old data were only while the old app runs.
  const restorable = transfer !== 'restore' && runsFor(facts, transfer) === facts.from && failure !== 'other-slot';
  const wayBack = restorable && facts.sizes.restore !== undefined;
  return [
    'retry',
    ...(wayBack ? (['restore'] as const) : []),
    ...(failure === 'gone' ? (['look'] as const) : []),
    'leave',
  ];
}
