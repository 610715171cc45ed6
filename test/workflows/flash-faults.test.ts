/**
 * Large writes under seeded faults: each run ends with the flash as planned and everything else untouched, or with an error that such a fault may
 * end in; after which the same run makes it so. `npm run campaign -- --area flash` runs as many seeds as one likes.
 */
import { describe, expect, test } from 'vitest';
import { type CampaignPoint, pointOf, runPoint } from '../campaign/campaign.ts';
import { FLASH_WRITES } from '../campaign/flash-writes.ts';

/** Seeds that give every kind of fault on every board equally often, and a few with several faults in one run. */
const POINTS = await Promise.all(Array.from({ length: 120 }, (_, index) => pointOf(index, { area: FLASH_WRITES })));
const SEVERAL = await Promise.all(
  Array.from({ length: 18 }, (_, index) => pointOf(600 + index, { area: FLASH_WRITES, faults: 3 })),
);

const nameOf = ({ seed, board, kinds }: CampaignPoint): string =>
  `seed ${seed}: ${kinds.join(', ')} on a ${board.state} ${board.chip}`;

describe.each([
  { title: 'one fault', points: POINTS },
  { title: 'three faults', points: SEVERAL },
])('$title', ({ points }) => {
  test.each(points.map((point) => [nameOf(point), point] as const))('%s', async (_, point) => {
    expect((await runPoint(point)).violations, JSON.stringify(point.faults)).toEqual([]);
  });
});
