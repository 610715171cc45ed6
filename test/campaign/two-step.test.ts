/** A hundred faulty updates; `npm run campaign -- --area ota` runs as many as one likes. */
import { expect, test } from 'vitest';
import { runTwoStepPoint, twoStepPoint } from './two-step.ts';

const POINTS = 100;

test.each(Array.from({ length: POINTS }, (_, seed) => twoStepPoint(seed)))(
  'seed $seed: $kinds with $firmware',
  async (point) => {
    expect((await runTwoStepPoint(point)).violations).toEqual([]);
  },
);
