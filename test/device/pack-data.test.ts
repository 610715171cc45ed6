/** What is sent compressed, and what as it is. */
import { expect, test } from 'vitest';
import { systemClock } from '#clock.ts';
import { TYPICAL_COSTS } from '#device/flash-costs.ts';
import { packData } from '#device/pack-data.ts';
import { noise, sampleData } from './support/bench.ts';

const SLOW = { ...TYPICAL_COSTS, wire: 1 / 11.5 };
const FAST = { ...TYPICAL_COSTS, wire: 1 / 800 };

test.each([
  ['what shrinks, compressed', 0x1_0000, sampleData(0x1_0000), { costs: TYPICAL_COSTS }, true],
  ['what does not shrink, as it is', 0x1_0000, noise(0x1_0000), { costs: TYPICAL_COSTS }, false],
  ['that on a fast line, as a stream', 0x1_0000, noise(0x1_0000), { costs: FAST }, true],
  ['with many single sectors at its end, as a stream', 0x1_0000, noise(0x1_d000), { costs: TYPICAL_COSTS }, true],
  ['with many at its start, as a stream', 0x3000, noise(0x1_d000), { costs: TYPICAL_COSTS }, true],
  ['a single sector, as it is', 0xe000, noise(0x1000), { costs: TYPICAL_COSTS }, false],
  ['where the line takes longer than even those, as it is', 0x1_0000, noise(0x1_d000), { costs: SLOW }, false],
  ['what shrinks, to a loader that does not inflate', 0, sampleData(0x1000), { costs: FAST, inflates: false }, false],
] as const)('is sent: %s', async (_, offset, data, { costs, ...loader }, compressed) => {
  const session = { clock: systemClock, flash: { inflates: true, ...loader }, meter: { costs } };
  const packed = await packData(session, { offset, data });
  expect(packed).toMatchObject({ compressed, length: data.length });
  if (!compressed) expect(packed.body).toEqual(data);
});
