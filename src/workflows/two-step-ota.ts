/**
 * A two-step update over the network, as a pure state machine: where a run stands, what can happen to it, and what follows.
 *
 * Step 1 downloads the new app into the slot that held the data; the board restarts into it. Step 2 downloads the new data into the slot
 * that held the old app. What can be undone is put back by a third transfer, *restore*: the old data, downloaded by the old app.
 *
 * A board never says how a download went: a run goes by the bytes that were fetched from it and by the board's page. Every state is
 * written down before it is acted on, so that a run goes on after a crash of the program; what is not known then is found out, never
 * guessed, and a download is never asked for twice.
 */
import { type RunningSlot, type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { type ByteRange, coveredBytes } from './byte-ranges.ts';

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
  /** It took the request and did not fetch the file, or gave up after the first look at it. */
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
interface Attempt {
  readonly transfer: Transfer;
  readonly attempt: number;
}

/** The transfer is under way and its file is offered under a name of its own. */
interface Offer extends Attempt {
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
  | ({ readonly at: 'deciding'; readonly failure: Failure } & Offer)
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
  /** The time of this position is over. `answers`: the board's page can be read; `open`: it still holds a connection to the file. */
  | { readonly event: 'expired'; readonly answers: boolean; readonly open?: boolean }
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

/**
 * What follows. Events that say nothing in this position leave the state as it is (the very same object).
 */
export function nextStep(state: UpdateState, event: UpdateEvent): UpdateState {
  const { position } = state;
  switch (position.at) {
    case 'ready':
      return fromReady(state, event);
    case 'preparing':
      return fromPreparing(state, position, event);
    case 'asking':
      return fromAsking(state, position, event);
    case 'waiting':
    case 'downloading':
      return fromDownload(state, position, event);
    case 'arriving':
      return fromArriving(state, position, event);
    case 'searching':
      return fromSearching(state, position, event);
    case 'picking':
      return fromPicking(state, position, event);
    case 'confirming':
      return fromConfirming(state, position, event);
    case 'deciding':
      return fromDeciding(state, position, event);
    case 'ended':
      return state;
  }
}

type At<Name extends Position['at']> = Extract<Position, { at: Name }>;

const moved = (state: UpdateState, position: Position): UpdateState => ({ ...state, position });

function fromReady(state: UpdateState, event: UpdateEvent): UpdateState {
  if (event.event === 'stop') return moved(state, { at: 'ended', outcome: 'cancelled' });
  const [first] = state.facts.steps;
  if (event.event !== 'start') return state;
  return first === undefined
    ? moved(state, { at: 'ended', outcome: 'complete' })
    : moved(state, { at: 'preparing', transfer: first, attempt: 1 });
}

/** The attempt without its offer, for the next one. */
const NO_OFFER = { file: '', served: [] } as const;

function fromPreparing(state: UpdateState, position: At<'preparing'>, event: UpdateEvent): UpdateState {
  const { transfer, attempt } = position;
  switch (event.event) {
    case 'prepared': {
      const needed = runsFor(state.facts, transfer);
      if (untouched(state, position) && event.running === needed && isChanged(state.facts, event.shown)) {
        return failed(withoutOldData(state), { ...position, ...NO_OFFER }, 'changed');
      }
      if (event.running === needed) {
        return moved(state, { at: 'asking', transfer, attempt, file: event.file, served: [] });
      }
      // The app that was to be sent runs already: the board had got it after all.
      if (transfer === 'app' && runsNewApp(state, event.running)) return arrived(state, position);
      // The new app was there, and the board went back: its data must not come before it.
      if (transfer === 'data' && event.running === state.facts.from) {
        return failed(state, { transfer: 'app', attempt, ...NO_OFFER }, 'back-on-old');
      }
      return failed(state, { ...position, ...NO_OFFER }, 'other-slot');
    }
    case 'expired':
      return failed(state, { ...position, ...NO_OFFER }, event.answers ? 'unreachable' : 'gone');
    case 'stop':
      return untouched(state, position)
        ? moved(state, { at: 'ended', outcome: 'cancelled' })
        : failed(state, { ...position, ...NO_OFFER }, 'stopped');
    default:
      return state;
  }
}

/**
 * Whether that slot tells that the new app runs. Where the board was never asked to download it, somebody else has updated the board: what
 * runs is not known, and the old app is not to be given up for it.
 */
function runsNewApp({ facts, slots }: UpdateState, running: RunningSlot | undefined): boolean {
  const target = targetOf(facts, 'app');
  return running === target && (slots[target] === 'part-of-app' || slots[target] === 'new-app');
}

/** Nothing was asked of the board yet. */
const untouched = ({ facts }: UpdateState, { transfer, attempt }: Attempt): boolean =>
  attempt === 1 && transfer === facts.steps[0];

/** Whether the page shows other data than when the run was planned, as far as both are known. */
const isChanged = ({ shown: { before } }: RunFacts, seen: string | undefined): boolean =>
  before !== undefined && seen !== undefined && before !== seen;

/** What was at hand to be put back is not what the board had. */
function withoutOldData(state: UpdateState): UpdateState {
  const sizes: Partial<Record<Transfer, number>> = { ...state.facts.sizes };
  delete sizes.restore;
  const facts = { ...state.facts, sizes };
  return withSlot({ ...state, facts }, targetOf(facts, facts.steps[0] ?? 'app'), 'nothing-known');
}

function fromAsking(state: UpdateState, position: At<'asking'>, event: UpdateEvent): UpdateState {
  switch (event.event) {
    case 'answered':
      return begun(state, position);
    case 'served':
      return fromDownload(begun(state, position), { ...position, at: 'waiting' }, event);
    case 'unanswered':
      // A request that may have arrived is not sent again: what the board fetches tells.
      return event.delivered ? begun(state, position) : failed(state, position, 'unreachable');
    case 'stop':
      // It may have been sent already.
      return failed(begun(state, position), position, 'stopped');
    default:
      return state;
  }
}

/** The board may write from now on, before a single byte is known to have come. */
function begun(state: UpdateState, { transfer, attempt, file, served }: Offer): UpdateState {
  const content = transfer === 'app' ? 'part-of-app' : 'part-of-data';
  const written = withSlot(state, targetOf(state.facts, transfer), content);
  return moved(written, { at: 'waiting', transfer, attempt, file, served });
}

function fromDownload(state: UpdateState, position: At<'waiting' | 'downloading'>, event: UpdateEvent): UpdateState {
  const { facts } = state;
  const { transfer } = position;
  switch (event.event) {
    case 'served': {
      const whole = coveredBytes(event.ranges) >= (facts.sizes[transfer] ?? 0);
      const started = coveredBytes(event.ranges) > 0;
      if (!started) return state;
      return moved(state, { ...position, served: event.ranges, at: whole ? 'arriving' : 'downloading' });
    }
    case 'page':
      // Some bytes may have gone uncounted while this program was down; a board that runs the new app has had them all.
      return transfer === 'app' && event.running === targetOf(facts, 'app') ? arrived(state, position) : state;
    case 'expired':
      if (!event.answers) return moved(state, { ...position, at: 'searching' });
      if (position.at === 'waiting') return failed(state, position, 'refused');
      return failed(state, position, event.open ? 'stalled' : 'broken-off');
    case 'stop':
      return failed(state, position, 'stopped');
    default:
      return state;
  }
}

function fromArriving(state: UpdateState, position: At<'arriving'>, event: UpdateEvent): UpdateState {
  const { facts } = state;
  const { transfer } = position;
  switch (event.event) {
    case 'page':
      if (transfer === 'app') {
        return event.running === targetOf(facts, 'app') ? arrived(state, position) : state;
      }
      return event.running === runsFor(facts, transfer) && showsNew(facts, transfer, event.shown)
        ? arrived(state, position)
        : state;
    case 'expired':
      if (!event.answers) return moved(state, { ...position, at: 'searching' });
      return failed(state, position, transfer === 'app' ? 'back-on-old' : 'other-data');
    case 'stop':
      return failed(state, position, 'stopped');
    default:
      return state;
  }
}

/** Whether the page shows what the file begins with. Of a board that shows no data only the bytes that it fetched can speak. */
function showsNew({ shown }: RunFacts, transfer: 'data' | 'restore', seen: string | undefined): boolean {
  return shown[transfer] === undefined || seen === undefined || shown[transfer] === seen;
}

function fromSearching(state: UpdateState, position: At<'searching'>, event: UpdateEvent): UpdateState {
  switch (event.event) {
    case 'found': {
      const [first, ...more] = event.candidates;
      if (!first) return failed(state, position, 'gone');
      if (more.length > 0) return moved(state, { ...position, at: 'picking', candidates: event.candidates });
      return backAt(state, position, first.address);
    }
    case 'page':
      return backAt(state, position, state.address);
    case 'expired':
      return failed(state, position, 'gone');
    case 'stop':
      return failed(state, position, 'stopped');
    default:
      return state;
  }
}

function fromPicking(state: UpdateState, position: At<'picking'>, event: UpdateEvent): UpdateState {
  const { candidates, ...offer } = position;
  switch (event.event) {
    case 'picked':
      return candidates.some(({ address }) => address === event.address) ? backAt(state, offer, event.address) : state;
    case 'stop':
      return failed(state, offer, 'stopped');
    default:
      return state;
  }
}

/** The board was found: whether it has what it was sent is seen from its page. */
function backAt(state: UpdateState, { transfer, attempt, file, served }: Offer, address: string): UpdateState {
  const there = { ...state, address };
  if (file === '') return moved(there, { at: 'preparing', transfer, attempt });
  const bytes = coveredBytes(served);
  const whole = bytes >= (state.facts.sizes[transfer] ?? 0);
  return moved(there, {
    transfer,
    attempt,
    file,
    served,
    at: whole ? 'arriving' : bytes > 0 ? 'downloading' : 'waiting',
  });
}

function fromConfirming(state: UpdateState, position: At<'confirming'>, event: UpdateEvent): UpdateState {
  switch (event.event) {
    case 'page':
      return event.running === state.facts.from ? failed(state, position, 'back-on-old') : state;
    case 'expired':
      return event.answers ? afterTransfer(state, position) : moved(state, { ...position, at: 'searching' });
    case 'stop':
      return failed(state, position, 'stopped');
    default:
      return state;
  }
}

function fromDeciding(state: UpdateState, position: At<'deciding'>, event: UpdateEvent): UpdateState {
  const { transfer, attempt } = position;
  if (event.event === 'page') {
    // A board that was given up comes up with the new app after all. A user who stopped the run is not overruled.
    const late = transfer === 'app' && position.failure !== 'stopped' && runsNewApp(state, event.running);
    return late ? arrived(state, position) : state;
  }
  if (event.event !== 'decided' || !choicesOf(state).includes(event.choice)) return state;
  const { file, served } = position;
  switch (event.choice) {
    case 'retry': {
      // A board that runs the new app needs its data, not the old ones; one look at it starts that.
      const forward = transfer === 'restore' && position.failure === 'other-slot';
      return moved(state, { at: 'preparing', transfer: forward ? 'app' : transfer, attempt: attempt + 1 });
    }
    case 'restore':
      return moved(state, { at: 'preparing', transfer: 'restore', attempt: attempt + 1 });
    case 'look':
      return moved(state, { at: 'searching', transfer, attempt, file, served });
    case 'leave':
      return moved(state, { at: 'ended', outcome: 'left' });
  }
}

function failed(state: UpdateState, { transfer, attempt, file, served }: Offer, failure: Failure): UpdateState {
  return moved(state, { at: 'deciding', transfer, attempt, file, served, failure });
}

const withSlot = (state: UpdateState, slot: SlotName, content: SlotContent): UpdateState => ({
  ...state,
  slots: { ...state.slots, [slot]: content },
});

const WHOLE = { app: 'new-app', data: 'new-data', restore: 'old-data' } as const;

/** The transfer is in place. */
function arrived(state: UpdateState, position: Attempt & Partial<Offer>): UpdateState {
  const { transfer, attempt, file = '', served = [] } = position;
  const inPlace = withSlot(state, targetOf(state.facts, transfer), WHOLE[transfer]);
  return transfer === 'app' && state.facts.trialMs > 0
    ? moved(inPlace, { at: 'confirming', transfer, attempt, file, served })
    : afterTransfer(inPlace, position);
}

function afterTransfer(state: UpdateState, { transfer }: Attempt): UpdateState {
  if (transfer === 'restore') return moved(state, { at: 'ended', outcome: 'restored' });
  const { steps } = state.facts;
  const next = steps[steps.indexOf(transfer) + 1];
  return next === undefined
    ? moved(state, { at: 'ended', outcome: 'complete' })
    : moved(state, { at: 'preparing', transfer: next, attempt: 1 });
}
