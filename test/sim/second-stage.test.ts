import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { padBytes, toHex } from '#formats/bytes.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { chipByName } from '#formats/chips.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { readBootTable } from '#sim/boot/boot-table.ts';
import { type Program } from '#sim/machine.ts';
import { appFor, flashWith, MB, tableOf } from './support/boot-flash.ts';
import { BootBench } from './support/boot-bench.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const silentApp = (): Program => ({ receive: () => undefined, stop: () => undefined });
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, path)));

/** What the boot loader says beside its greeting, the table, the segments and its success. */
const complaints = (bench: BootBench): string[] =>
  bench.lines
    .map((line) => /^[EWI] \(…\) boot: (.*)/.exec(line)?.[1] ?? '')
    .filter((text) => /Defaulting|No factory|not bootable|Set actual|invalid|Falling back|No bootable/.test(text));

interface OtadataVector {
  id: string;
  outputs: string[];
  expected: {
    boot: Record<string, { selected: string; booted: string; log: string[]; otadata_after: 'unchanged' | string[] }>;
  };
}

const otadataVectors = (
  JSON.parse(readFileSync(join(FIXTURES, 'otadata/manifest.json'), 'utf8')) as { vectors: OtadataVector[] }
).vectors;

describe('the choice by otadata', () => {
  const cases = otadataVectors.flatMap(({ id, outputs, expected }) =>
    Object.entries(expected.boot).map(([table, wanted]) => ({ id, file: outputs[0]!, table, wanted })),
  );

  test.each(cases)('$id with $table boots and logs as ESP-IDF does', async ({ file, table, wanted }) => {
    const [, slots, factory, rollback, only] = /slots=(\d+) factory=(\w+) rollback=(\w+)(?: bootable=\[(\d+)\])?/.exec(
      table,
    )!;
    const partitions = tableOf({ slots: Number(slots), factory: factory === 'True', size: 0x1_0000 });
    const app = appFor('esp32');
    const bootable = partitions.filter(
      ({ type, subtype }) => type === 0 && (only === undefined || subtype === 0x10 + Number(only)),
    );
    const otadata = bytesOf(`otadata/${file}`);
    const content = { otadata, ...Object.fromEntries(bootable.map(({ name }) => [name, app])) };
    const flash = flashWith({ partitions, content });
    const bench = await new BootBench({ flash, startApp: silentApp, traits: { rollback: rollback === 'True' } }).run(
      2000,
    );

    expect(complaints(bench)).toEqual(wanted.log);
    expect(bench.program!.startedApp!.partition.name).toBe(wanted.booted);
    const after = [flash.subarray(0xd000, 0xd020), flash.subarray(0xe000, 0xe020)].map(toHex);
    const before = [toHex(otadata.subarray(0, 32)), toHex(otadata.subarray(0x1000, 0x1020))];
    expect(after).toEqual(wanted.otadata_after === 'unchanged' ? before : wanted.otadata_after);
  });
});

describe('the partition table', () => {
  interface TableVector {
    id: string;
    inputs: string[];
    outputs: string[];
    expected: {
      bootloader_table_verify?: Record<string, { result: string; partitions: number | null; log: string[] }>;
    };
  }
  const { vectors } = JSON.parse(readFileSync(join(FIXTURES, 'partitions/manifest.json'), 'utf8')) as {
    vectors: TableVector[];
  };
  const cases = vectors.flatMap(({ id, inputs, outputs, expected }) =>
    Object.entries(expected.bootloader_table_verify ?? {}).map(([size, wanted]) => ({
      id,
      file: [...outputs, ...inputs].find((name) => name.endsWith('.bin'))!,
      size,
      wanted,
    })),
  );

  test('there are vectors', () => expect(cases.length).toBeGreaterThan(50));

  test.each(cases)('$id on $size is judged as by the boot loader', ({ file, size, wanted }) => {
    const table = readBootTable(padBytes(bytesOf(`partitions/${file}`), 0xc00), Number.parseInt(size) * MB);
    expect(table.ok ? table.partitions.length : null).toBe(wanted.partitions);
    expect(table.ok ? [] : [table.fault]).toEqual(wanted.log);
  });

  test('a second MD5 row and a missing end are faults of their own', () => {
    const table = bytesOf('partitions/seed.bin').subarray(0, 0xc00);
    const rows = table.findIndex((byte, at) => at % 32 === 0 && byte === 0xeb);
    const twice = table.slice();
    twice.copyWithin(rows + 32, rows, rows + 32);
    expect(readBootTable(twice, 4 * MB)).toEqual({ ok: false, fault: 'Only one MD5 checksum is allowed' });
    const endless = table.slice();
    for (let at = 0; at < endless.length; at += 32) endless.copyWithin(at, 0, 32);
    expect(readBootTable(endless, 4 * MB)).toMatchObject({
      fault: expect.stringContaining('no terminating entry') as string,
    });
  });

  test('otadata that is too small ends in a reset loop', async () => {
    const partitions = tableOf().map((row) => (row.name === 'otadata' ? { ...row, size: 0x1000 } : row));
    const bench = await new BootBench({ flash: flashWith({ partitions, content: { ota_0: appFor('esp32') } }) }).run(
      1500,
    );
    expect(bench.lines).toContain('E (…) boot: ota_info partition size 4096 is too small (minimum 8192 bytes)');
    expect(bench.resets.length).toBeGreaterThan(1);
  });

  test('an OTA row that is left out is passed over without a word', async () => {
    const partitions = tableOf({ slots: 3 }).filter(({ name }) => name !== 'ota_1');
    const flash = flashWith({
      partitions,
      content: { ota_0: new Uint8Array(0), otadata: encodeOtadata({ sequence: 2 }) },
    });
    const bench = await new BootBench({ flash, startApp: silentApp }).run(300);
    expect(complaints(bench).slice(0, 2)).toEqual([
      'OTA app partition slot 0 is not bootable',
      'No bootable app partitions in the partition table',
    ]);
  });

  test('a test app is the last resort', async () => {
    const partitions = [
      ...tableOf(),
      { name: 'test', type: 0, subtype: 0x20, offset: 0x21_0000, size: 0x1_0000, flags: 0 },
    ];
    const flash = flashWith({ partitions, content: { test: appFor('esp32') } });
    const bench = await new BootBench({ flash, startApp: silentApp }).run(1000);
    expect(complaints(bench).at(-1)).toBe('Falling back to test app as only bootable partition');
    expect(bench.program!.startedApp).toMatchObject({ target: 'test', partition: { name: 'test' } });
  });

  test('without otadata the factory app starts, then the slots in order', async () => {
    const partitions = tableOf({ otadata: false, factory: true });
    const flash = flashWith({ partitions, content: { ota_1: appFor('esp32') } });
    const bench = await new BootBench({ flash, startApp: silentApp }).run(1000);
    expect(complaints(bench)).toEqual([
      'Factory app partition is not bootable',
      'OTA app partition slot 0 is not bootable',
    ]);
    expect(bench.program!.startedApp!.target).toBe(1);
  });
});

describe('the log at level info', () => {
  test.each([
    { chip: 'esp32', speed: 'boot.esp32: SPI Speed      : 40MHz', revision: 'v3.0' },
    { chip: 'esp32s3', speed: 'boot.esp32s3: Boot SPI Speed : 80MHz', revision: 'v0.2' },
    { chip: 'esp32c3', speed: 'boot.esp32c3: SPI Speed      : 80MHz', revision: 'v0.3' },
  ])('$chip prints what ESP-IDF 5 prints', async ({ chip, speed, revision }) => {
    const flash = flashWith({ chip, content: { ota_0: appFor(chip) } });
    const { lines } = await new BootBench({ chip, flash, startApp: silentApp }).run(2000);
    const log = lines.filter((line) => line.startsWith('I (…)')).map((line) => line.slice(6));
    expect(log.slice(0, 2)).toEqual([
      'boot: ESP-IDF v5.4.2 2nd stage bootloader',
      'boot: compile time Jan  2 2026 12:34:56',
    ]);
    expect(log).toContain(`boot: chip revision: ${revision}`);
    expect(log).toContain(speed);
    expect(log.slice(log.indexOf('boot: Partition Table:'))).toEqual([
      'boot: Partition Table:',
      'boot: ## Label            Usage          Type ST Offset   Length',
      'boot:  0 nvs              WiFi data        01 02 00009000 00004000',
      'boot:  1 otadata          OTA data         01 00 0000d000 00002000',
      'boot:  2 ota_0            OTA app          00 10 00010000 00100000',
      'boot:  3 ota_1            OTA app          00 11 00110000 00100000',
      'boot: End of partition table',
      'boot: No factory image, trying OTA 0',
      expect.stringMatching(/^esp_image: segment 0: paddr=00010020 vaddr=3[cf][04]00020 size=003e8h \( {2}1000\) map$/),
      expect.stringMatching(/^esp_image: segment 1: paddr=00010410 vaddr=40\w{6} size=00258h \( {3}600\) load$/),
      'boot: Loaded app from partition at offset 0x10000',
      'boot: Set actual ota_seq=1 in otadata[0]',
      'boot: Disabling RNG early entropy source...',
    ]);
  });

  test('times in the log go up, by what a line takes at 115200 baud and by what reading takes', async () => {
    const bench = await new BootBench({
      flash: flashWith({ content: { ota_0: appFor('esp32') } }),
      startApp: silentApp,
    }).run(2000);
    const times = [...bench.output.matchAll(/^[EWI] \((\d+)\)/gm)].map(([, time]) => Number(time));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThan(10);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(50);
  });
});

describe('slots that do not boot', () => {
  const boot = async (ota1: Uint8Array, efuses = {}): Promise<BootBench> => {
    const content = { otadata: encodeOtadata({ sequence: 2 }), ota_0: appFor('esp32'), ota_1: ota1 };
    return new BootBench({ flash: flashWith({ content }), startApp: silentApp, efuses }).run(2000);
  };
  const errors = (bench: BootBench): string[] =>
    bench.lines.filter((line) => line.startsWith('E ')).map((line) => line.replace('E (…) ', ''));

  test.each([
    {
      what: 'an app for another chip',
      bytes: appFor('esp32s3'),
      line: 'boot_comm: mismatch chip ID, expected 0, found 9',
    },
    {
      what: 'a packed data image',
      bytes: packDataImage(new TextEncoder().encode('hello'), { chip: chipByName('esp32')!, slotSize: MB }),
      line: 'esp_image: Checksum failed. Calculated 0xef read 0x0',
    },
    {
      what: 'raw data',
      bytes: new TextEncoder().encode('plain text in the slot'),
      line: 'esp_image: image at 0x110000 has invalid magic byte (nothing flashed here?)',
    },
    {
      what: 'an app with 17 segments',
      bytes: appFor('esp32').with(1, 17),
      line: 'esp_image: image at 0x110000 segment count 17 exceeds max 16',
    },
    {
      what: 'an app for newer chips',
      bytes: appFor('esp32').with(15, 0x84).with(16, 3),
      line: 'boot_comm: Image requires chip rev >= v9.0, but chip is v3.0',
    },
    {
      what: 'an app for older chips',
      bytes: appFor('esp32').with(17, 199).with(18, 0),
      line: 'boot_comm: Image requires chip rev <= v1.99, but chip is v3.0',
    },
  ])('$what: the reason, the slot, and the other slot starts', async ({ bytes, line }) => {
    const bench = await boot(bytes);
    expect(errors(bench)).toEqual([line, 'boot: OTA app partition slot 1 is not bootable']);
    expect(bench.program!.startedApp!.target).toBe(0);
    expect(bench.flash.bytes[0xd000]).toBe(2);
  });

  test('the revision is the one of the eFuses', async () => {
    const bench = await boot(appFor('esp32').with(17, 199).with(18, 0), { revision: { major: 1, minor: 0 } });
    expect(bench.program!.startedApp!.target).toBe(0);
    expect(errors(bench)[0]).toContain('Image hash failed');
  });

  test('an app that is larger than its slot', async () => {
    const partitions = tableOf({ size: 0x1_0000 });
    const content = { ota_0: appFor('esp32', { constants: 0x1_0000 }) };
    const bench = await new BootBench({ flash: flashWith({ partitions, content }), startApp: silentApp }).run(300);
    expect(errors(bench)[0]).toMatch(/^esp_image: Image length \d+ doesn't fit in partition length 65536$/);
  });

  test('a data image that verifies is jumped into; the watchdog ends it after nine seconds', async () => {
    const data = new Uint8Array(1024);
    data[0] = 0xe9;
    data[31] = 0xef;
    const bench = await boot(data);
    expect(bench.program!.startedApp!.target).toBe(1);
    expect(bench.program!.app).toBeUndefined();
    await bench.clock.advance(8000);
    expect(bench.resets).toMatchObject([{ reason: 'watchdog' }]);
  });
});

test('a boot that is stopped prints nothing more and leaves no timer', async () => {
  const bench = new BootBench({ flash: flashWith({ content: { ota_0: appFor('esp32') } }) });
  await bench.run(40);
  bench.program!.stop();
  const { output } = bench;
  await bench.clock.advance(60_000);
  expect(bench.output).toBe(output);
  expect(bench.resets).toEqual([]);
});
