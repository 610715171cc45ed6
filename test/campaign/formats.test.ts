/** 6 000 damaged inputs; `npm run campaign -- --area formats` tries as many as one likes. */
import { expect, test } from 'vitest';
import { FORMAT_READERS, runFormatPoint } from './formats.ts';

const POINTS = 500;

test.each(FORMAT_READERS.map((reader, index) => ({ ...reader, index })))(
  '$name: whatever comes is answered or refused',
  ({ name, lenient, index }) => {
    const outcomes = new Set<string>();
    for (let point = 0; point < POINTS; point++) {
      const { reader, outcome, violation } = runFormatPoint(index + point * FORMAT_READERS.length);
      expect(reader).toBe(name);
      expect(violation, `seed ${index + point * FORMAT_READERS.length}`).toBeUndefined();
      outcomes.add(outcome);
    }
    // The damage reaches what it is meant to reach.
    if (!lenient) expect(outcomes.size).toBeGreaterThan(1);
  },
);
