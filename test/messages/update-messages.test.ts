import { describe, expect, test } from 'vitest';
import { STATION_ERRORS } from '#api.ts';
import { type Message } from '#messages/message.ts';
import { UPDATE_NOTICES } from '#messages/update-notice-messages.ts';
import {
  choiceText,
  failureMessage,
  outcomeMessage,
  positionText,
  slotContentText,
  stationErrorMessage,
  updateNoticeMessage,
} from '#messages/update-messages.ts';
import {
  CHOICES,
  choicesOf,
  type Failure,
  FAILURES,
  initialState,
  type Outcome,
  type Position,
  type RunFacts,
  type SlotContent,
  type Transfer,
  TRANSFERS,
  type UpdateState,
} from '#workflows/update-state.ts';
import { type UpdateNoticeCode } from '#workflows/update-notices.ts';

const FACTS: RunFacts = {
  steps: ['app', 'data'],
  from: 'PA',
  sizes: { app: 1_000_000, data: 500_000, restore: 400_000 },
  shown: { before: '61', data: '62', restore: '61' },
  trialMs: 0,
};

const OFFER = { attempt: 1, file: 'q3Zk_9aB-17cXy0w', served: [] } as const;

const stateAt = (position: Position, facts: Partial<RunFacts> = {}): UpdateState => ({
  ...initialState({ ...FACTS, ...facts }, '192.168.1.57'),
  position,
});

const deciding = (failure: Failure, transfer: Transfer = 'app'): UpdateState =>
  stateAt({ at: 'deciding', failure, transfer, ...OFFER });

/** Sentences: a capital first, a full stop last, nothing shouted, nothing left out. */
function expectSentences(...texts: (string | undefined)[]): void {
  for (const text of texts) {
    if (text === undefined) continue;
    expect(text).toMatch(/^[A-Z].*[.?]$/s);
    expect(text).not.toMatch(/!|oops|undefined|NaN|\[object| {2}|\.\.|please|sorry/i);
  }
}

const expectMessage = ({ what, state, todo }: Message): void => expectSentences(what, state, todo);

/** Everything that any of the codes may bring along. */
const VALUES = {
  has: 'ESP32-S3',
  chip: 'ESP32',
  found: 'ESP32-C3',
  needs: 301,
  bound: 'least',
  message: 'its digest is wrong',
  file: 'App.bin',
  label: 'App.bin',
  size: 0x10_0000,
  room: 0xf_0000,
  address: '192.168.1.57',
  header: 'two-step',
  name: 'Voices',
  length: 300,
  limit: 255,
  version: '2.3.1',
  PA: 0x10_0000,
  PB: 0x10_0000,
  runs: 'lamp',
  release: 'voice-box',
};

describe('every notice of a plan', () => {
  test.each(Object.keys(UPDATE_NOTICES) as UpdateNoticeCode[])('%s reads as sentences', (code) => {
    // Notes of a release bring their own sentence, revisions are numbers.
    const own = { note: { message: 'The app is built for debugging.' }, 'chip-revision': { has: 4 } };
    const values = { ...VALUES, ...(own as Partial<Record<UpdateNoticeCode, object>>)[code] };
    expectMessage(updateNoticeMessage({ code, subject: 'other', values }));
  });

  test('names the sizes and names that it was given', () => {
    const said = (code: UpdateNoticeCode): string => updateNoticeMessage({ code, subject: 'app', values: VALUES }).what;
    expect(said('too-large')).toMatch(/App\.bin.*1 MiB.*960 KiB/);
    expect(said('url-too-long')).toMatch(/300.*255/);
    expect(said('other-project')).toMatch(/lamp.*voice-box/);
    expect(said('slot-sizes-assumed')).toMatch(/PA 1 MiB, PB 1 MiB/);
  });

  test('tells the two forms of data apart', () => {
    const said = (header: string): string =>
      updateNoticeMessage({ code: 'data-wrong-form', subject: 'data', values: { header, name: 'x' } }).what;
    expect(said('two-step')).not.toBe(said('none'));
  });
});

describe('every failure', () => {
  test.each(FAILURES.flatMap((failure) => TRANSFERS.map((transfer) => [failure, transfer] as const)))(
    '%s of %s says what happened, what the board holds, and what to do',
    (failure, transfer) => {
      const message = failureMessage(failure, transfer);
      expectMessage(message);
      expect(message.state).toBeDefined();
      expect(message.todo).toBeDefined();
    },
  );

  test('with something in flash says that of another slot for each transfer', () => {
    for (const failure of ['stalled', 'broken-off'] as const) {
      expect(new Set(TRANSFERS.map((transfer) => failureMessage(failure, transfer).state)).size).toBe(3);
    }
  });
});

describe('every choice', () => {
  const offered = FAILURES.flatMap((failure) => TRANSFERS.map((transfer) => deciding(failure, transfer))).flatMap(
    (state) => choicesOf(state).map((choice) => ({ choice, state })),
  );

  test('that is ever offered says what it does', () => {
    expect(new Set(offered.map(({ choice }) => choice))).toEqual(new Set(CHOICES));
    for (const { choice, state } of offered) {
      const { title, what, risk } = choiceText(choice, state);
      expect(title).toMatch(/^[A-Z][^.]*$/);
      expectSentences(what, risk);
    }
  });

  test('names the slot that is written, and the wait before', () => {
    expect(choiceText('retry', deciding('broken-off')).what).toMatch(/15 seconds.*the new app into PB/);
    expect(choiceText('retry', deciding('broken-off', 'data')).what).toMatch(/the new data into PA/);
    expect(choiceText('restore', deciding('broken-off')).what).toMatch(/the old data into PB/);
    expect(choiceText('look', deciding('gone')).what).toMatch(/3 minutes/);
  });

  test('to leave says what is lost by it', () => {
    const untouched = deciding('unreachable');
    const begun: UpdateState = { ...deciding('broken-off'), slots: { PA: 'old-app', PB: 'part-of-app' } };
    const second: UpdateState = { ...deciding('broken-off', 'data'), slots: { PA: 'part-of-data', PB: 'new-app' } };
    const risks = [untouched, begun, second, deciding('gone')].map((state) => choiceText('leave', state).risk);
    expect(risks[1]).toMatch(/old app runs without its data.*PB holds: part of the new app/);
    expect(risks[2]).toMatch(/new app runs without its data.*PA holds: part of the data/);
    expect(new Set(risks).size).toBe(4);
  });

  test('to go on with a board that runs another slot promises no download', () => {
    expect(choiceText('retry', deciding('other-slot')).what).not.toMatch(/download/);
  });
});

describe('every outcome', () => {
  test.each<Outcome>(['complete', 'restored', 'left', 'cancelled'])('%s reads as sentences', (outcome) => {
    expectMessage(outcomeMessage(outcome, stateAt({ at: 'ended', outcome })));
  });

  test.each<[string, Partial<RunFacts>, RegExp]>([
    ['both steps', {}, /^The board runs the new app from PB, and PA holds the new data\.$/],
    [
      'both steps of a swapped board',
      { from: 'PB' },
      /^The board runs the new app from PA, and PB holds the new data\.$/,
    ],
    ['the app alone', { steps: ['app'] }, /^The board runs the new app from PB\.$/],
    ['the data alone', { steps: ['data'] }, /^PB holds the new data\.$/],
    ['nothing', { steps: [] }, /nothing/],
  ])('complete says where everything is: %s', (_name, facts, text) => {
    expect(outcomeMessage('complete', stateAt({ at: 'ended', outcome: 'complete' }, facts)).what).toMatch(text);
  });

  test('complete says when only the bytes speak for the data', () => {
    const at = { at: 'ended', outcome: 'complete' } as const;
    const alike = { shown: { before: '61', data: '61' } };
    expect(outcomeMessage('complete', stateAt(at, { ...alike, steps: ['data'] })).state).toMatch(/bytes/);
    expect(outcomeMessage('complete', stateAt(at, { ...alike })).state).toBeUndefined();
    expect(outcomeMessage('complete', stateAt(at, { steps: ['data'] })).state).toBeUndefined();
  });
});

test('every position is told in a few words', () => {
  const positions: Position[] = [
    { at: 'ready' },
    { at: 'preparing', transfer: 'app', attempt: 1 },
    { at: 'preparing', transfer: 'app', attempt: 2 },
    ...(['asking', 'waiting', 'downloading', 'arriving'] as const).flatMap((at) =>
      TRANSFERS.map((transfer): Position => ({ at, transfer, ...OFFER })),
    ),
    { at: 'searching', transfer: 'app', ...OFFER },
    { at: 'picking', candidates: [{ address: '10.0.0.1' }, { address: '10.0.0.2' }], transfer: 'app', ...OFFER },
    { at: 'confirming', transfer: 'app', ...OFFER },
    { at: 'deciding', failure: 'gone', transfer: 'app', ...OFFER },
    ...(['complete', 'restored', 'left', 'cancelled'] as const).map((outcome): Position => ({ at: 'ended', outcome })),
  ];
  const texts = positions.map(positionText);
  for (const text of texts) expect(text).toMatch(/^[A-Z0-9][^.!]*$/);
  expect(new Set(texts).size).toBe(positions.length);
});

test('every content of a slot has a label of its own', () => {
  const contents = Object.keys({
    'old-app': 0,
    'old-data': 0,
    'new-app': 0,
    'new-data': 0,
    'part-of-app': 0,
    'part-of-data': 0,
    'nothing-known': 0,
  } satisfies Record<SlotContent, number>) as SlotContent[];
  expect(new Set(contents.map(slotContentText)).size).toBe(contents.length);
});

test.each(STATION_ERRORS)('the station’s %s reads as sentences, with what to do', (code) => {
  const message = stationErrorMessage(code);
  expectMessage(message);
  expect(message.todo).toBeDefined();
});
