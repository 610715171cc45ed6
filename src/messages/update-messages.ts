/** Texts for the run of a network update: where it stands, how it failed, what can be chosen, how it ended. */
import { updateSlot } from '#formats/ota-slots.ts';
import { UPDATE_TIMES } from '#workflows/update-surroundings.ts';
import {
  type Choice,
  type Failure,
  type Outcome,
  type Position,
  type SlotContent,
  targetOf,
  type Transfer,
  type UpdateState,
} from '#workflows/update-state.ts';
import { type Message } from './message.ts';
import { countText, sentence } from './units.ts';

export { stationErrorMessage } from './station-messages.ts';
export { updateNoticeMessage } from './update-notice-messages.ts';

const FILES: Readonly<Record<Transfer, string>> = { app: 'the new app', data: 'the new data', restore: 'the old data' };

/** What the run sends while the old app runs: what the way back replaces. */
const firstFile = ({ facts }: UpdateState): string => FILES[facts.steps[0] ?? 'app'];

const seconds = (ms: number): string => (ms < 60_000 ? `${ms / 1000} seconds` : countText(ms / 60_000, 'minute'));

// --- Failures -----------------------------------------------------------------------------------------------------------------------

/** What the board is when a transfer has gone on for a while and no further. */
const PARTLY: Readonly<Record<Transfer, string>> = {
  app: 'The board runs its old app, without data: in their place is part of the new app.',
  data: 'The board runs its app, without data: in their place is only part of the new ones.',
  restore: 'The board runs its old app, without data: in their place is only part of the old ones.',
};
/** What it is when nobody knows whether it began to write. */
const PERHAPS: Readonly<Record<Transfer, string>> = {
  app: 'The board runs its old app. Its data are as before, or lost if it had begun to write.',
  data: 'The board runs its app. Its data slot is as before, or erased if it had begun to write.',
  restore: 'The board runs its old app. Its data slot is as before, or erased if it had begun to write.',
};
const UNASKED = 'This attempt changed nothing on the board.';

const FAILURE_MESSAGES: Record<Failure, (transfer: Transfer) => Message> = {
  unreachable: (transfer) => ({
    what: `The board did not take the request to download ${FILES[transfer]}: it was not reached, or did not understand.`,
    state: UNASKED,
    todo: 'Look whether it has power and is on the network, then try again.',
  }),
  refused: (transfer) => ({
    what: `The board took the request, and did not fetch ${FILES[transfer]}.`,
    state: PERHAPS[transfer],
    todo: 'Try again once. If it happens again, look at its serial log: firmware that was built without plain http for updates refuses them all, and a firewall on this computer keeps boards out.',
  }),
  stalled: (transfer) => ({
    what: `The board stopped fetching ${FILES[transfer]}: its connection is open, and no byte has moved for ${seconds(UPDATE_TIMES.stalled)}.`,
    state: PARTLY[transfer],
    todo: 'Bring it closer to its access point, or restart it, then try again.',
  }),
  'broken-off': (transfer) => ({
    what: `The download of ${FILES[transfer]} ended before its end.`,
    state: PARTLY[transfer],
    todo: 'Try again; if it breaks off again, look at the Wi-Fi and the supply of the board.',
  }),
  'back-on-old': () => ({
    what: 'The board fetched the whole new app and runs its old one: it did not accept the new app, or went back to it.',
    state: 'The old app runs, without data: in their place is the new app.',
    todo: 'Put the old data back, and look at the serial log of the board for the reason before you try again.',
  }),
  gone: (transfer) => ({
    what: 'The board does not answer any more and was not found on the network.',
    state:
      transfer === 'app'
        ? 'It has an app to start: the old one, or the new one if that arrived whole. The old data are overwritten at least in part.'
        : `It has an app to start. Its data slot may hold only part of ${FILES[transfer]}.`,
    todo: 'Look at its power and its network, then look for it again.',
  }),
  'other-data': (transfer) => ({
    what: `The board fetched everything, and shows other data than ${FILES[transfer]}.`,
    state: 'The board runs its app. What its data slot holds is not known.',
    todo: 'Try again; if it shows the same again, look at its serial log.',
  }),
  'other-slot': (transfer) => ({
    what: `The board runs from another slot than it should before it gets ${FILES[transfer]}: it was restarted, or somebody else updated it.`,
    state: UNASKED,
    todo: 'Look at what the board runs. Try again if that is right; else leave this run and plan another.',
  }),
  changed: () => ({
    what: 'The board shows other data than when this run was planned: somebody else updated it.',
    state: 'Nothing was asked of it. The data that it has now are not at hand to be put back.',
    todo: 'Leave this run and plan another, or go on if the data that it has now may be lost.',
  }),
  stopped: (transfer) => ({
    what: `You stopped the run while it was at ${FILES[transfer]}.`,
    state:
      transfer === 'app'
        ? 'The board runs its old app, or the new one if that had arrived whole. Its data are lost if it had begun to write.'
        : PERHAPS[transfer],
    todo: 'Decide how it goes on.',
  }),
};

/** How a transfer failed, and what that means for the board. */
export const failureMessage = (failure: Failure, transfer: Transfer): Message => FAILURE_MESSAGES[failure](transfer);

// --- Choices ------------------------------------------------------------------------------------------------------------------------

const QUIET = seconds(UPDATE_TIMES.quiet);

interface ChoiceText {
  title: string;
  what: string;
  risk?: string;
}

/** A choice after a failure: what it is called, what it does and how long that takes, what can go wrong. */
export function choiceText(choice: Choice, state: UpdateState): ChoiceText {
  switch (choice) {
    case 'retry':
      return retryText(state);
    case 'restore':
      return {
        title: 'Put the old data back',
        what: `Waits ${QUIET} for the board to end what it is doing, then has its old app download the old data into ${dataSlot(state)}.`,
        risk: `What has arrived of ${firstFile(state)} is overwritten. If this fails too, the board still runs its old app, and you decide again.`,
      };
    case 'look':
      return {
        title: 'Look for it again',
        what: `Searches the network for up to ${seconds(UPDATE_TIMES.searching)}, and goes on where the run was. The board is asked for nothing new.`,
      };
    case 'leave':
      return { title: 'Leave it', what: 'Ends the run. Nothing more is sent to the board.', risk: leftBehind(state) };
  }
}

function retryText({ facts, position }: UpdateState): ChoiceText {
  const transfer = 'transfer' in position ? position.transfer : 'app';
  const failure = position.at === 'deciding' ? position.failure : undefined;
  if (failure === 'other-slot') {
    return {
      title: 'Look and go on',
      what: `Waits ${QUIET}, then looks at what the board runs: the run goes on with what that needs.`,
      risk: 'If somebody else is updating the board, both get in each other’s way.',
    };
  }
  const target = targetOf(facts, transfer);
  return {
    title: 'Try again',
    what: `Waits ${QUIET} for the board to end what it is doing, then has it download ${FILES[transfer]} into ${target} once more, from the beginning.`,
    risk:
      transfer === 'app'
        ? 'If it fails again, the board still runs its old app.'
        : 'If it fails again, the board still runs its app, without data.',
  };
}

/** Where the old data were, and go back to. */
const dataSlot = ({ facts }: UpdateState): string => updateSlot(facts.from);

function leftBehind({ facts, position, slots }: UpdateState): string {
  const failure = position.at === 'deciding' ? position.failure : undefined;
  if (failure === 'gone') return 'What the board holds shows when it answers again.';
  const transfer = 'transfer' in position ? position.transfer : 'app';
  const target = targetOf(facts, transfer);
  if (failure === 'other-slot' || failure === 'changed' || (transfer === 'app' && slots[target] === 'old-data')) {
    return 'The board stays as it is now.';
  }
  const app = transfer === 'data' && facts.steps.includes('app') ? 'new app' : 'old app';
  return `The ${app} runs without its data until the board is updated again. ${target} holds: ${CONTENTS[slots[target]]}.`;
}

// --- Outcomes -----------------------------------------------------------------------------------------------------------------------

/** How a run ended. */
export function outcomeMessage(outcome: Outcome, state: UpdateState): Message {
  switch (outcome) {
    case 'complete':
      return completeMessage(state);
    case 'restored':
      return {
        what: `${sentence(firstFile(state))} did not arrive, and the old data were put back.`,
        state: 'The board runs its old app with its old data, as before.',
        todo: `Find out why the board did not take ${firstFile(state)}, then update again.`,
      };
    case 'left':
      return {
        what: 'The run ended before everything was done.',
        state: `PA holds: ${CONTENTS[state.slots.PA]}. PB holds: ${CONTENTS[state.slots.PB]}.`,
        todo: 'Update the board again when you like: that begins with what it runs then.',
      };
    case 'cancelled':
      return {
        what: 'The run was cancelled before the board was asked for anything.',
        state: 'Nothing on the board was changed.',
      };
  }
}

function completeMessage({ facts }: UpdateState): Message {
  const { steps, shown } = facts;
  const app = steps.includes('app') && `the board runs the new app from ${targetOf(facts, 'app')}`;
  const data = steps.includes('data') && `${targetOf(facts, 'data')} holds the new data`;
  const said = [app, data].filter((part) => part !== false).join(', and ');
  const what = said === '' ? 'There was nothing to do.' : `${sentence(said)}.`;
  // A new app lies where the data were: what the board shows after it tells in any case that data were written.
  if (!app && data && shown.data !== undefined && shown.data === shown.before) {
    return {
      what,
      state: 'Old and new data begin alike: that the new ones are in place is known by the bytes that were fetched.',
    };
  }
  return { what };
}

// --- Where it stands ----------------------------------------------------------------------------------------------------------------

const CONTENTS: Readonly<Record<SlotContent, string>> = {
  'old-app': 'old app',
  'old-data': 'old data',
  'new-app': 'new app',
  'new-data': 'new data',
  'part-of-app': 'part of the new app',
  'part-of-data': 'part of the data',
  'nothing-known': 'not known',
};

/** What lies in a slot, for a label. */
export const slotContentText = (content: SlotContent): string => CONTENTS[content];

const ENDS: Readonly<Record<Outcome, string>> = {
  complete: 'Complete',
  restored: 'Old data put back',
  left: 'Left unfinished',
  cancelled: 'Cancelled',
};

/** Where a run stands, in a few words without a full stop. */
export function positionText(position: Position): string {
  switch (position.at) {
    case 'ready':
      return 'Ready to begin';
    case 'preparing':
      return position.attempt === 1
        ? 'Looking at the board'
        : `Letting the last attempt end, then looking at the board (attempt ${position.attempt})`;
    case 'asking':
      return `Asking the board to download ${FILES[position.transfer]}`;
    case 'waiting':
      return `Waiting for the board to fetch ${FILES[position.transfer]}`;
    case 'downloading':
      return `The board downloads ${FILES[position.transfer]}`;
    case 'arriving':
      return position.transfer === 'app'
        ? 'The board checks the new app and restarts'
        : `Waiting for the board to show ${FILES[position.transfer]}`;
    case 'searching':
      return 'Looking for the board on the network';
    case 'picking':
      return `${countText(position.candidates.length, 'board')} could be it: which one is it?`;
    case 'confirming':
      return 'The new app runs on trial';
    case 'deciding':
      return 'Waits for your decision';
    case 'ended':
      return ENDS[position.outcome];
  }
}
