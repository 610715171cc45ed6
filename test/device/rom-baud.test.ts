import { expect, test } from 'vitest';
import { baudForEsp32Rom } from '#device/rom-baud.ts';

/** A chip on which eFuse and count make the ROM measure that crystal. */
const measuring = (hertz: number): Parameters<typeof baudForEsp32Rom>[0] => {
  const clock = 0x85;
  const count = Math.round((hertz * 40) / (15_625 * clock));
  // Other bits are set too: what is next to the count, and the rest of the eFuse word.
  return { readRegister: async (address) => (address === 0x3ff5_f06c ? ((count << 7) | 0x7f) >>> 0 : 0xab00 | clock) };
};

test.each([
  ['exact at 40 MHz', 40e6, 921_600],
  ['5 % fast', 42e6, 967_680],
  ['5 % slow', 38e6, 875_520],
  ['exact at 26 MHz', 26e6, 921_600],
  ['10 % fast at 26 MHz', 28.6e6, 1_013_760],
])('a ROM that measures %s is asked for what it makes %i Hz of', async (_, hertz, asked) => {
  const baud = await baudForEsp32Rom(measuring(hertz), 921_600);
  expect(Math.abs(baud / asked - 1)).toBeLessThan(0.0015);
});

test.each([0, 5e6, 90e6])('registers that make a crystal of %i Hz mean something else', async (hertz) => {
  expect(await baudForEsp32Rom(measuring(hertz), 460_800)).toBe(460_800);
});
