import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextStep } from '#workflows/two-step-ota.ts';
import {
  CHOICES,
  choicesOf,
  FAILURES,
  initialState,
  type Position,
  type RunFacts,
  runsFor,
  targetOf,
  type UpdateEvent,
  type UpdateState,
} from '#workflows/update-state.ts';

const FACTS: RunFacts = {
  steps: ['app', 'data'],
  from: 'PA',
  sizes: { app: 1000, data: 2000, restore: 1500 },
  shown: { before: '6f6c64', data: '6e6577', restore: '6f6c64' },
  trialMs: 0,
};
const ADDRESS = '192.168.1.57';

/** A run that got there, with the app begun where its file was asked for. */
function at(position: Position, facts: Partial<RunFacts> = {}): UpdateState {
  const state = initialState({ ...FACTS, ...facts }, ADDRESS);
  const isAsked = 'transfer' in position && position.transfer === 'app' && (position.attempt > 1 || 'file' in position);
  const slots = isAsked && position.at !== 'asking' ? { ...state.slots, PB: 'part-of-app' as const } : state.slots;
  return { ...state, slots, position };
}
const offer = (transfer: 'app' | 'data' | 'restore', served = 0) => ({
  transfer,
  attempt: 1,
  file: 'abc',
  served: served === 0 ? [] : [[0, served] as const],
});
const whole = { app: 1000, data: 2000, restore: 1500 };

/** Where it leads: the name of the position, with failure, outcome or transfer. */
function short({ position }: UpdateState): string {
  if (position.at === 'ended') return `ended ${position.outcome}`;
  if (position.at === 'ready') return 'ready';
  return position.at === 'deciding'
    ? `deciding ${position.transfer} ${position.failure}`
    : `${position.at} ${position.transfer}`;
}

const prepared = (running: 'PA' | 'PB' | 'factory'): UpdateEvent => ({ event: 'prepared', running, file: 'xyz' });
const served = (to: number): UpdateEvent => ({ event: 'served', ranges: [[0, to]] });
const expired = (answers: boolean, open = false, sent = false): UpdateEvent => ({
  event: 'expired',
  answers,
  open,
  sent,
});
const page = (running: 'PA' | 'PB' | 'factory', shown?: string): UpdateEvent => ({
  event: 'page',
  running,
  ...(shown !== undefined && { shown }),
});
const found = (...addresses: string[]): UpdateEvent => ({
  event: 'found',
  candidates: addresses.map((address) => ({ address })),
});
const decided = (choice: (typeof CHOICES)[number]): UpdateEvent => ({ event: 'decided', choice });
const STOP: UpdateEvent = { event: 'stop' };

type Row = [from: Position, event: UpdateEvent, to: string];

const READY: Position = { at: 'ready' };
const prepare = (transfer: 'app' | 'data' | 'restore', attempt = 1): Position => ({
  at: 'preparing',
  transfer,
  attempt,
});

const ROWS: Row[] = [
  [READY, { event: 'start' }, 'preparing app'],
  [READY, STOP, 'ended cancelled'],
  [READY, served(10), 'ready'],

  [prepare('app'), prepared('PA'), 'asking app'],
  [prepare('app', 2), prepared('PB'), 'preparing data'],
  // It was asked for nothing yet: somebody else has updated it.
  [prepare('app'), prepared('PB'), 'deciding app other-slot'],
  [prepare('app'), prepared('factory'), 'deciding app other-slot'],
  [prepare('app'), expired(false), 'deciding app gone'],
  [prepare('app'), expired(true), 'deciding app unreachable'],
  [prepare('app'), STOP, 'ended cancelled'],
  [prepare('app', 2), STOP, 'deciding app stopped'],
  [prepare('data'), prepared('PB'), 'asking data'],
  [prepare('data'), prepared('PA'), 'deciding app back-on-old'],
  [prepare('data'), STOP, 'deciding data stopped'],
  [prepare('restore'), prepared('PA'), 'asking restore'],
  [prepare('restore'), prepared('PB'), 'deciding restore other-slot'],
  [prepare('app'), page('PA'), 'preparing app'],

  [{ at: 'asking', ...offer('app') }, { event: 'answered' }, 'waiting app'],
  [{ at: 'asking', ...offer('app') }, served(400), 'downloading app'],
  [{ at: 'asking', ...offer('app') }, { event: 'unanswered', delivered: false }, 'deciding app unreachable'],
  [{ at: 'asking', ...offer('app') }, { event: 'unanswered', delivered: true }, 'waiting app'],
  [{ at: 'asking', ...offer('app') }, STOP, 'deciding app stopped'],
  [{ at: 'asking', ...offer('app') }, page('PA'), 'asking app'],

  [{ at: 'waiting', ...offer('app') }, served(400), 'downloading app'],
  [{ at: 'waiting', ...offer('app') }, served(0), 'waiting app'],
  [{ at: 'waiting', ...offer('app') }, served(1000), 'arriving app'],
  [{ at: 'waiting', ...offer('app') }, expired(true), 'deciding app refused'],
  // It fetched something, and nobody knows how much of it has come.
  [{ at: 'waiting', ...offer('app') }, expired(true, false, true), 'deciding app broken-off'],
  [{ at: 'waiting', ...offer('app') }, expired(true, true, true), 'deciding app stalled'],
  [{ at: 'waiting', ...offer('app') }, expired(false), 'searching app'],
  // The bytes went uncounted while the program was down.
  [{ at: 'waiting', ...offer('app') }, page('PB'), 'preparing data'],
  [{ at: 'waiting', ...offer('app') }, STOP, 'deciding app stopped'],
  [{ at: 'downloading', ...offer('app', 400) }, served(999), 'downloading app'],
  [{ at: 'downloading', ...offer('app', 400) }, served(1000), 'arriving app'],
  [{ at: 'downloading', ...offer('app', 400) }, page('PB'), 'preparing data'],
  [{ at: 'downloading', ...offer('app', 400) }, page('PA'), 'downloading app'],
  [{ at: 'downloading', ...offer('app', 400) }, expired(true, true), 'deciding app stalled'],
  [{ at: 'downloading', ...offer('app', 400) }, expired(true, false), 'deciding app broken-off'],
  [{ at: 'downloading', ...offer('app', 400) }, expired(false), 'searching app'],
  [{ at: 'downloading', ...offer('data', 400) }, page('PB', '6e6577'), 'downloading data'],
  [{ at: 'downloading', ...offer('data', 400) }, STOP, 'deciding data stopped'],

  [{ at: 'arriving', ...offer('app', whole.app) }, page('PB'), 'preparing data'],
  [{ at: 'arriving', ...offer('app', whole.app) }, page('PA'), 'arriving app'],
  [{ at: 'arriving', ...offer('app', whole.app) }, expired(true), 'deciding app back-on-old'],
  [{ at: 'arriving', ...offer('app', whole.app) }, expired(false), 'searching app'],
  [{ at: 'arriving', ...offer('app', whole.app) }, STOP, 'deciding app stopped'],
  [{ at: 'arriving', ...offer('data', whole.data) }, page('PB', '6e6577'), 'ended complete'],
  [{ at: 'arriving', ...offer('data', whole.data) }, page('PB', '6f6c64'), 'arriving data'],
  [{ at: 'arriving', ...offer('data', whole.data) }, page('PA', '6e6577'), 'arriving data'],
  [{ at: 'arriving', ...offer('data', whole.data) }, page('PB'), 'ended complete'],
  [{ at: 'arriving', ...offer('data', whole.data) }, expired(true), 'deciding data other-data'],
  [{ at: 'arriving', ...offer('restore', whole.restore) }, page('PA', '6f6c64'), 'ended restored'],

  [{ at: 'searching', ...offer('app', whole.app) }, page('PB'), 'arriving app'],
  [{ at: 'searching', ...offer('app', whole.app) }, found('192.168.1.60'), 'arriving app'],
  [{ at: 'searching', ...offer('app', 400) }, found('192.168.1.60'), 'downloading app'],
  [{ at: 'searching', ...offer('app') }, found('192.168.1.60'), 'waiting app'],
  [{ at: 'searching', transfer: 'app', attempt: 1, file: '', served: [] }, found('192.168.1.60'), 'preparing app'],
  [{ at: 'searching', ...offer('app') }, found('192.168.1.60', '192.168.1.61'), 'picking app'],
  [{ at: 'searching', ...offer('app') }, found(), 'deciding app gone'],
  [{ at: 'searching', ...offer('app') }, expired(false), 'deciding app gone'],
  [{ at: 'searching', ...offer('app') }, STOP, 'deciding app stopped'],
  [
    { at: 'picking', ...offer('app', whole.app), candidates: [{ address: '192.168.1.61' }] },
    { event: 'picked', address: '192.168.1.61' },
    'arriving app',
  ],
  [
    { at: 'picking', ...offer('app', whole.app), candidates: [{ address: '192.168.1.61' }] },
    { event: 'picked', address: '10.0.0.1' },
    'picking app',
  ],
  [{ at: 'picking', ...offer('app'), candidates: [] }, STOP, 'deciding app stopped'],

  [{ at: 'confirming', ...offer('app', whole.app) }, page('PB'), 'confirming app'],
  [{ at: 'confirming', ...offer('app', whole.app) }, page('PA'), 'deciding app back-on-old'],
  [{ at: 'confirming', ...offer('app', whole.app) }, expired(true), 'preparing data'],
  [{ at: 'confirming', ...offer('app', whole.app) }, expired(false), 'searching app'],
  [{ at: 'confirming', ...offer('app', whole.app) }, STOP, 'deciding app stopped'],

  [{ at: 'deciding', failure: 'refused', ...offer('app') }, decided('retry'), 'preparing app'],
  [{ at: 'deciding', failure: 'refused', ...offer('app') }, decided('restore'), 'preparing restore'],
  [{ at: 'deciding', failure: 'refused', ...offer('app') }, decided('look'), 'deciding app refused'],
  [{ at: 'deciding', failure: 'gone', ...offer('app') }, decided('look'), 'searching app'],
  [{ at: 'deciding', failure: 'gone', ...offer('app') }, page('PB'), 'preparing data'],
  [{ at: 'deciding', failure: 'stopped', ...offer('app') }, page('PB'), 'deciding app stopped'],
  [{ at: 'deciding', failure: 'broken-off', ...offer('data') }, decided('restore'), 'deciding data broken-off'],
  [{ at: 'deciding', failure: 'broken-off', ...offer('data') }, decided('retry'), 'preparing data'],
  [{ at: 'deciding', failure: 'other-slot', ...offer('restore') }, decided('retry'), 'preparing app'],
  [{ at: 'deciding', failure: 'broken-off', ...offer('restore') }, decided('retry'), 'preparing restore'],
  [{ at: 'deciding', failure: 'gone', ...offer('data') }, decided('leave'), 'ended left'],

  [{ at: 'ended', outcome: 'complete' }, STOP, 'ended complete'],
];

describe('where each event leads', () => {
  test.each(ROWS.map((row) => ({ row, name: `${short(at(row[0]))} + ${JSON.stringify(row[1])} → ${row[2]}` })))(
    '$name',
    ({ row: [from, event, to] }) => {
      expect(short(nextStep(at(from), event))).toBe(to);
    },
  );

  test('every position and every kind of event is in the table', () => {
    const positions = new Set(ROWS.map(([from]) => from.at));
    const events = new Set(ROWS.map(([, event]) => event.event));
    expect([...positions].sort()).toEqual([
      'arriving',
      'asking',
      'confirming',
      'deciding',
      'downloading',
      'ended',
      'picking',
      'preparing',
      'ready',
      'searching',
      'waiting',
    ]);
    expect([...events].sort()).toEqual([
      'answered',
      'decided',
      'expired',
      'found',
      'page',
      'picked',
      'prepared',
      'served',
      'start',
      'stop',
      'unanswered',
    ]);
  });

  const pairs = new Set(ROWS.map(([from, event]) => `${from.at} ${event.event}`));
  const samples = <T>(list: T[], key: (item: T) => string): T[] => [
    ...new Map(list.map((item) => [key(item), item])).values(),
  ];
  const others = samples(
    ROWS.map(([from]) => from),
    ({ at }) => at,
  ).flatMap((from) =>
    samples(
      ROWS.map(([, event]) => event),
      ({ event }) => event,
    )
      .filter((event) => !pairs.has(`${from.at} ${event.event}`))
      .map((event) => ({ from, event })),
  );

  test.each(others)('$from.at ignores $event.event', ({ from, event }) => {
    const state = at(from);
    expect(nextStep(state, event)).toBe(state);
  });
});

test('a new app on trial is watched before its data are sent', () => {
  const state = nextStep(at({ at: 'arriving', ...offer('app', whole.app) }, { trialMs: 5000 }), page('PB'));
  expect(short(state)).toBe('confirming app');
  expect(state.slots).toEqual({ PA: 'old-app', PB: 'new-app' });
});

test('a slot is named as broken as soon as the board may have been told to write it', () => {
  const app = nextStep(at({ at: 'asking', ...offer('app') }), { event: 'answered' });
  expect(app.slots).toEqual({ PA: 'old-app', PB: 'part-of-app' });
  const data = nextStep(at({ at: 'asking', ...offer('data') }), { event: 'unanswered', delivered: true });
  expect(data.slots.PA).toBe('part-of-data');
});

test('a board that somebody else updated before it was asked for anything is not taken for updated, however often it is looked at', () => {
  const first = nextStep(at(prepare('app')), prepared('PB'));
  expect(nextStep(first, page('PB'))).toBe(first);
  const again = nextStep(nextStep(first, decided('retry')), prepared('PB'));
  expect(short(again)).toBe('deciding app other-slot');
  expect(again.slots).toEqual({ PA: 'old-app', PB: 'old-data' });
});

test.each([
  { steps: ['app', 'data'], target: 'PB' },
  { steps: ['data'], target: 'PB' },
] as const)('$steps: data that are not those of the plan are not overwritten unasked', ({ steps, target }) => {
  const [transfer] = steps;
  const seen = { event: 'prepared', running: 'PA', shown: '6f74686572', file: 'xyz' } as const;
  const changed = nextStep(at(prepare(transfer), { steps }), seen);
  expect(short(changed)).toBe(`deciding ${transfer} changed`);
  expect(changed.slots[target]).toBe('nothing-known');
  // The old data of the plan are not what the board had.
  expect(choicesOf(changed)).toEqual(['retry', 'leave']);
  const again = nextStep(nextStep(changed, decided('retry')), seen);
  expect(short(again)).toBe(`asking ${transfer}`);
  expect(again.facts.sizes.restore).toBeUndefined();
});

test('a run that is stopped while it asks may have been heard', () => {
  const stopped = nextStep(at({ at: 'asking', ...offer('app') }), STOP);
  expect(stopped.slots).toEqual({ PA: 'old-app', PB: 'part-of-app' });
  expect(short(nextStep(nextStep(stopped, decided('retry')), prepared('PB')))).toBe('preparing data');
});

test('data alone have a way back: the app that asks for them runs all the time', () => {
  const facts = { steps: ['data'] } as const;
  const failed = at({ at: 'deciding', failure: 'broken-off', ...offer('data') }, facts);
  expect(choicesOf(failed)).toEqual(['retry', 'restore', 'leave']);
  const back = nextStep(nextStep(failed, decided('restore')), prepared('PA'));
  expect(short(back)).toBe('asking restore');
  // There is no app to go forward with.
  const other = at({ at: 'deciding', failure: 'other-slot', ...offer('restore') }, facts);
  expect(short(nextStep(other, decided('retry')))).toBe('preparing restore');
});

test('without old data at hand there is no way back to choose', () => {
  const sizes = { app: 1000, data: 2000 };
  expect(choicesOf(at({ at: 'deciding', failure: 'broken-off', ...offer('app') }, { sizes }))).toEqual([
    'retry',
    'leave',
  ]);
  expect(choicesOf(at({ at: 'deciding', failure: 'broken-off', ...offer('app') }))).toEqual([
    'retry',
    'restore',
    'leave',
  ]);
});

test.each([
  { from: 'PA', app: 'PB', data: 'PA' },
  { from: 'PB', app: 'PA', data: 'PB' },
  { from: 'factory', app: 'PA', data: 'PB' },
] as const)('from $from the app goes into $app and the data into $data', ({ from, app, data }) => {
  const facts = { ...FACTS, from };
  expect([targetOf(facts, 'app'), targetOf(facts, 'data'), targetOf(facts, 'restore')]).toEqual([app, data, app]);
  expect(targetOf({ ...facts, steps: ['data'] }, 'data')).toBe(app);
});

describe('whatever happens', () => {
  const slot = fc.constantFrom('PA', 'PB', 'factory' as const);
  const event: fc.Arbitrary<UpdateEvent> = fc.oneof(
    fc.constant<UpdateEvent>({ event: 'start' }),
    fc.record({ event: fc.constant('page' as const), running: slot, shown: fc.constantFrom('6f6c64', '6e6577') }),
    slot.map((running): UpdateEvent => ({ event: 'prepared', running, file: 'f' })),
    fc.constant<UpdateEvent>({ event: 'answered' }),
    fc.boolean().map((delivered): UpdateEvent => ({ event: 'unanswered', delivered })),
    fc.integer({ min: 0, max: 2000 }).map(served),
    fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()).map((flags) => expired(...flags)),
    fc.array(fc.constantFrom('10.0.0.1', '10.0.0.2'), { maxLength: 2 }).map((list) => found(...list)),
    fc.constant<UpdateEvent>({ event: 'picked', address: '10.0.0.1' }),
    fc.constantFrom(...CHOICES).map(decided),
    fc.constant<UpdateEvent>(STOP),
  );

  test('data are only asked for while the new app runs, the app and the way back only while the old one does', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state = initialState(FACTS, ADDRESS);
        for (const next of events) {
          const before = state;
          state = nextStep(state, next);
          if (state.position.at === 'asking' && before.position.at !== 'asking') {
            expect(next).toMatchObject({ event: 'prepared', running: runsFor(FACTS, state.position.transfer) });
          }
        }
      }),
    );
  });

  test('it ends complete only with every byte of the data fetched', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = initialState(FACTS, ADDRESS);
        for (const next of events) {
          const before = state.position;
          state = nextStep(state, next);
          if (state.position.at === 'ended' && state.position.outcome === 'complete' && before.at !== 'ended') {
            expect(before).toMatchObject({ at: 'arriving', transfer: 'data', served: [[0, 2000]] });
          }
        }
      }),
    );
  });

  test('a failure always leaves something to choose, and a run that ended stays ended', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = initialState(FACTS, ADDRESS);
        for (const next of events) {
          const before = state;
          state = nextStep(state, next);
          if (before.position.at === 'ended') expect(state).toBe(before);
          if (state.position.at !== 'deciding') continue;
          expect(FAILURES).toContain(state.position.failure);
          expect(choicesOf(state)).toContain('retry');
          expect(choicesOf(state)).toContain('leave');
        }
      }),
    );
  });
});
