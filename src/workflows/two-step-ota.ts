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
import { coveredBytes } from './byte-ranges.ts';
import { type RunningSlot, type SlotName } from '#formats/ota-slots.ts';
import {
  type Attempt,
  choicesOf,
  type Failure,
  type Offer,
  type Position,
  type RunFacts,
  runsFor,
  type SlotContent,
  targetOf,
  type Transfer,
  type UpdateEvent,
  type UpdateState,
} from './update-state.ts';

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
      if (position.at === 'waiting' && !event.sent) return failed(state, position, 'refused');
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
      const forward = transfer === 'restore' && position.failure === 'other-slot' && state.facts.steps.includes('app');
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
