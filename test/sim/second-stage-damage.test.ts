/** Whatever lies in flash: the chip goes on, prints something sensible, and never stops the simulation. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chipByName } from '#formats/chips.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { BootBench } from './support/boot-bench.ts';
import { appFor, flashWith, MB, tableOf } from './support/boot-flash.ts';

const CHIPS = ['esp32', 'esp32s3', 'esp32c3'];
const partitions = tableOf({ size: 0x1_0000, factory: true });

/** Where damage hurts: boot loader, table, otadata, NVS, the three apps. */
const PLACES = [0, 0x8000, 0x9000, 0xd000, 0xe000, 0x1_0000, 0x2_0000, 0x3_0000];

const damage = fc.record({
  place: fc.constantFrom(...PLACES),
  offset: fc.oneof(fc.nat(64), fc.nat(0xfff)),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

describe.each(CHIPS)('%s', (chip) => {
  test('with any damage the chip resets or runs an app, and time goes on', async () => {
    const { bootloaderOffset } = chipByName(chip)!;
    const app = appFor(chip);
    const content = { otadata: encodeOtadata({ sequence: 2 }), factory: app, ota_0: app, ota_1: app };
    const good = flashWith({ chip, partitions, flashSize: MB, content });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        const flash = good.slice();
        for (const { place, offset, bytes } of damages) flash.set(bytes, (place || bootloaderOffset) + offset);
        const bench = await new BootBench({ chip, flash, network: {} }).run(3000);
        const isAtPrompt = bench.output.endsWith('>');
        expect(bench.resets.length > 0 || bench.program?.startedApp !== undefined || isAtPrompt).toBe(true);
        expect(bench.clock.now()).toBe(3000);
      }),
      { numRuns: 150 },
    );
  });
});

test('a table that points beyond the flash chip is read from its start, as the address lines have it', async () => {
  const far = partitions.map((row) => (row.name === 'factory' ? { ...row, offset: 0x21_0000 } : row));
  const flash = flashWith({ partitions, flashSize: MB, content: { factory: appFor('esp32') } });
  flash.set(flashWith({ partitions: far }).subarray(0x8000, 0x8c00), 0x8000);
  const { program } = await new BootBench({ flash }).run(1000);
  expect(program!.startedApp).toMatchObject({ target: 'factory', partition: { offset: 0x21_0000 } });
});
