/** What the slot picture shows of plans and of runs in every position; and where it stands. */
import { contentText } from '#app/components/SlotPicture/slot-text.ts';
import { storyOfUpdate } from '#app/components/SlotPicture/run-story.ts';
import { baselines, boxHeight, layoutStory } from '#app/components/SlotPicture/slot-layout.ts';
import { type SlotStory, storyOfBoard, storyOfPlan } from '#app/components/SlotPicture/slot-story.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  APP_SIZE,
  confirmingState,
  DATA_SIZE,
  PATHS,
  sampleBoard,
  sampleFacts,
  samplePlan,
  sampleRelease,
  sampleUpdate,
  stateAfter,
} from '../../support/update-samples.ts';

/** `Now: PA old-app*, PB old-data`, a star for what runs; then the steps with their states. */
const drawn = ({ scenes, steps }: SlotStory): string[] => [
  ...scenes.map(
    ({ title, slots }) =>
      `${title}: ${slots.map((box) => `${box.slot} ${box.role} ${box.state}${box.runs ? ' runs' : ''}`).join(', ')}`,
  ),
  ...steps.map(({ number, transfer, target, state }) => `${number ?? '-'} ${transfer} into ${target} ${state}`),
];

const run = (path: string): SlotStory => storyOfUpdate(sampleUpdate(stateAfter(PATHS[path]!)), sampleRelease());

test('a plan: app into the other slot, then data into the slot of the old app', () => {
  expect(drawn(storyOfPlan(samplePlan(), sampleRelease()))).toEqual([
    'Now: PA app kept runs, PB data kept',
    'After step 1: PA app kept, PB app new runs',
    'After step 2: PA data new, PB app new runs',
    '1 app into PB planned',
    '2 data into PA planned',
  ]);
});

test('a board that was updated before goes the other way round', () => {
  const board = sampleBoard({ running: 'PB' });
  const story = drawn(storyOfPlan(samplePlan({ board }), sampleRelease()));
  expect(story.slice(-2)).toEqual(['1 app into PA planned', '2 data into PB planned']);
  expect(story[2]).toMatch(/PA app new runs, PB data new$/);
});

test('one step alone has two scenes', () => {
  const data = samplePlan({ steps: ['data'], after: sampleBoard().slots });
  expect(drawn(storyOfPlan(data, sampleRelease()))).toEqual([
    'Now: PA app kept runs, PB data kept',
    'After step 1: PA app kept runs, PB data new',
    '1 data into PB planned',
  ]);
});

test('of a board that runs from factory, or that nobody knows, no slot runs', () => {
  expect(drawn(storyOfBoard([], 'factory'))).toEqual(['Now: PA unknown kept, PB unknown kept']);
  const board = sampleBoard();
  delete board.running;
  expect(drawn(storyOfPlan(samplePlan({ board }), undefined))).toHaveLength(1);
});

const BEFORE = 'Before: PA app kept runs, PB data kept';
const STEP_1 = 'After step 1: PA app kept, PB app new runs';
const STEP_2 = 'After step 2: PA data new, PB app new runs';
const NOT_BEGUN = ['Now: PA app kept runs, PB data kept', STEP_1, STEP_2];
const BROKEN = [BEFORE, 'Now: PA app kept runs, PB app part', STEP_2, '1 app into PB failed', '2 data into PA planned'];
const WRITING = [
  BEFORE,
  'Now: PA app kept runs, PB app writing',
  STEP_2,
  '1 app into PB running',
  '2 data into PA planned',
];
const UNTOUCHED = [...NOT_BEGUN, '1 app into PB failed', '2 data into PA planned'];
const ASKED = [...NOT_BEGUN, '1 app into PB running', '2 data into PA planned'];
const IN_STEP_2 = [
  BEFORE,
  STEP_1,
  'Now: PA data writing, PB app new runs',
  '1 app into PB done',
  '2 data into PA running',
];
const BROKEN_2 = [BEFORE, STEP_1, 'Now: PA data part, PB app new runs', '1 app into PB done', '2 data into PA failed'];

const STORIES: Readonly<Record<string, string[]>> = {
  ready: [...NOT_BEGUN, '1 app into PB planned', '2 data into PA planned'],
  preparing: ASKED,
  asking: ASKED,
  waiting: WRITING,
  downloading: WRITING,
  arriving: WRITING,
  searching: WRITING,
  picking: WRITING,
  'step 2 preparing': [
    BEFORE,
    'Now: PA app kept, PB app new runs',
    STEP_2,
    '1 app into PB done',
    '2 data into PA running',
  ],
  'step 2 downloading': IN_STEP_2,
  'step 2 arriving': IN_STEP_2,
  complete: [BEFORE, STEP_1, 'Now: PA data new, PB app new runs', '1 app into PB done', '2 data into PA done'],
  unreachable: UNTOUCHED,
  refused: BROKEN,
  stalled: BROKEN,
  'broken-off': BROKEN,
  'back-on-old': BROKEN,
  gone: BROKEN,
  'other-slot': UNTOUCHED,
  stopped: BROKEN,
  'step 2 broken-off': BROKEN_2,
  'step 2 other-data': BROKEN_2,
  'restore downloading': [
    'Step 1 failed: PA app kept runs, PB app part',
    'Now: PA app kept runs, PB data writing',
    '- restore into PB running',
  ],
  restored: [
    'Step 1 failed: PA app kept runs, PB app part',
    'Now: PA app kept runs, PB data kept',
    '- restore into PB done',
  ],
  left: BROKEN_2,
  cancelled: ['Now: PA app kept runs, PB data kept'],
};

describe('a run', () => {
  test.each(Object.keys(PATHS))('%s', (path) => {
    expect(drawn(run(path))).toEqual(STORIES[path]);
  });

  test('while the new app is on trial it runs, and its step is not over', () => {
    const story = drawn(storyOfUpdate(sampleUpdate(confirmingState()), sampleRelease()));
    expect(story[1]).toBe('Now: PA app kept, PB app new runs');
    expect(story[3]).toBe('1 app into PB running');
  });

  test('bytes are those that were fetched, of the file that goes there', () => {
    const box = run('downloading').scenes[1]!.slots[1];
    expect([box.used, Math.round((box.done ?? 0) * APP_SIZE)]).toEqual([APP_SIZE, 600_000]);
    expect(run('step 2 downloading').scenes[2]!.slots[0].used).toBe(DATA_SIZE);
  });

  test('names: of the release for what is new, of the board for what was there', () => {
    const [before, now] = run('downloading').scenes;
    expect(contentText(before!.slots[0])).toMatch(/voice_box 2\.3\.1$/);
    expect(contentText(now!.slots[1])).toMatch(/voice_box 2\.4\.0$/);
    expect(contentText(run('restore downloading').scenes[1]!.slots[1])).toMatch(/voices 17$/);
  });

  test('data alone that are put back come after the new data, not after an app', () => {
    const facts = sampleFacts({ steps: ['data'] });
    const story = drawn(storyOfUpdate(sampleUpdate(stateAfter(PATHS['restore downloading']!, facts)), undefined));
    expect(story).toEqual([
      'Failed: PA app kept runs, PB data part',
      'Now: PA app kept runs, PB data writing',
      '- restore into PB running',
    ]);
  });

  test('the app alone is one step', () => {
    const facts = sampleFacts({ steps: ['app'] });
    const story = storyOfUpdate(sampleUpdate(stateAfter(PATHS['downloading']!, facts)), undefined);
    expect(drawn(story)).toEqual([BEFORE, 'Now: PA app kept runs, PB app writing', '1 app into PB running']);
  });
});

describe('the layout', () => {
  test('boxes and arrows stay inside at any width, and no two boxes overlap', () => {
    const paths = fc.constantFrom(...Object.keys(PATHS));
    fc.assert(
      fc.property(paths, fc.integer({ min: 240, max: 2400 }), (path, width) => {
        const { boxes, steps, height } = layoutStory(run(path), width);
        for (const { x, y, width: w, height: h } of [...boxes, ...steps]) {
          expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
          expect(x + w).toBeLessThanOrEqual(width + 0.01);
          expect(y + h).toBeLessThanOrEqual(height);
        }
        for (const [index, one] of boxes.entries()) {
          for (const other of boxes.slice(index + 1)) {
            const apart =
              one.x + one.width <= other.x ||
              other.x + other.width <= one.x ||
              one.y + one.height <= other.y ||
              other.y + other.height <= one.y;
            expect(apart).toBe(true);
          }
        }
      }),
    );
  });

  test('an arrow ends at the top of the box of its step', () => {
    const { boxes, steps } = layoutStory(run('ready'), 1100);
    for (const [index, { step, tip }] of steps.entries()) {
      const box = boxes
        .filter(({ scene }) => scene === run('ready').scenes[index + 1] || scene.title === `After step ${index + 1}`)
        .find(({ box: { slot } }) => slot === step.target)!;
      expect(tip.x).toBeGreaterThan(box.x);
      expect(tip.x).toBeLessThan(box.x + box.width);
      expect(tip.y).toBeLessThan(box.y);
    }
  });

  test('heights are to scale where sizes are known, with a least one', () => {
    expect(boxHeight(3_000_000, 4_000_000, 200)).toBe(150);
    expect(boxHeight(4_000_000, 4_000_000, 200)).toBe(200);
    expect(boxHeight(1000, 4_000_000, 200)).toBe(112);
  });

  test('no line of text lies across the edge of the filling', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 220 }), (edge) => {
        for (const y of baselines(3, { first: 44, edge })) expect(edge <= y - 12 || edge >= y + 5).toBe(true);
      }),
    );
  });
});
