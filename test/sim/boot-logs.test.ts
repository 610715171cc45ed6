/**
 * Boots of a real ESP32 boot loader (fixtures: boot/*.json), replayed. The parts of flash without bytes in the fixture
 * come from the firmware that was booted, where it is at hand, and from stand-ins of the same shape everywhere.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '#formats/bytes.ts';
import { decodePartitionTable } from '#formats/partition-table.ts';
import { markAppValid, OtaResult, setBootPartition } from '#sim/firmware/app-ota.ts';
import { type Program } from '#sim/machine.ts';
import { FIRMWARE_FILE, hasFirmware } from '../support/real-firmware.ts';
import { appDescription, bootLoaderStart, standInImage } from './support/stand-in-images.ts';
import { BootBench, withoutTimes } from './support/boot-bench.ts';

interface Part {
  offset: string;
  length: number;
  sha256: string;
  what: string;
  hex?: string;
}

interface Case {
  id: string;
  title: string;
  flashSize: number;
  parts: Part[];
  reached?: string;
  runs?: string;
  log?: string;
  output?: string;
  script?: string;
  logNote?: string;
  otadataAfter: 'unchanged' | Record<'sector 0' | 'sector 1', string>;
}

const FIXTURES = join(import.meta.dirname, '../fixtures/boot');
const CASES = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.json') && name !== 'manifest.json')
  .map((name) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Case);

interface Images {
  bootLoader: Uint8Array;
  app: Uint8Array;
  whole: Uint8Array;
}

function realImages(): Images {
  const whole = new Uint8Array(readFileSync(FIRMWARE_FILE));
  return { bootLoader: whole.subarray(0, 0x7000), app: whole.subarray(0xf000), whole };
}

/** Same addresses and lengths in the boot loader, so that the ROM prints the same; a much smaller app. */
function standInImages(): Images {
  const bootLoader = standInImage({
    entry: 0x4008_05ac,
    segments: [
      [0x3fff_0030, 4112],
      [0x4007_8000, 15072],
      [0x4008_0400, 4],
      [0x4008_0404, 3332],
    ],
    maxRevision: 399,
    start: bootLoaderStart(),
  });
  const app = standInImage({
    entry: 0x4008_131c,
    segments: [
      [0x3f40_0020, 253_356],
      [0x3ffb_db60, 8736],
      [0x4008_0000, 0x3000],
    ],
    maxRevision: 399,
    start: appDescription(),
  });
  const whole = new Uint8Array(0xf000 + app.length).fill(0xff);
  whole.set(bootLoader);
  const table = CASES.find(({ id }) => id === 'table-factory')!.parts.find(({ what }) => what.startsWith('table'))!;
  whole.set(fromHex(table.hex!), 0x7000);
  whole.set(app, 0xf000);
  return { bootLoader: padTo(bootLoader, 0x7000), app, whole };
}

function padTo(bytes: Uint8Array, length: number): Uint8Array {
  const padded = new Uint8Array(length).fill(0xff);
  padded.set(bytes.subarray(0, length));
  return padded;
}

/** The image with a header field changed and its digest made new, as the fixture says. */
function withNewDigest(image: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  const copy = image.slice();
  change(copy);
  copy.set(sha256(copy.subarray(0, copy.length - 32)), copy.length - 32);
  return copy;
}

const inverted = (image: Uint8Array, at: number): Uint8Array => image.with(at, image[at]! ^ 0xff);

function partBytes({ what, hex, length }: Part, images: Images): Uint8Array {
  const { bootLoader, app, whole } = images;
  const isStandIn = app.length !== 1_672_976;
  if (hex !== undefined && !(isStandIn && what.includes('of the app'))) return padTo(fromHex(hex), length);
  switch (what) {
    case 'boot loader of the release file':
      return bootLoader;
    case 'boot loader, byte 3 says 2 MB':
      return bootLoader.with(3, 0x10);
    case 'boot loader, byte 0x100 inverted':
      return inverted(bootLoader, 0x100);
    case 'app of the release file':
      return app;
    case 'release file':
      return whole;
    case 'first 0x7000 bytes of the app':
      return app.subarray(0, 0x7000);
    case 'first 4096 bytes of the app':
      return app.subarray(0, 4096);
    case 'first half of the app':
      return app.subarray(0, Math.floor(app.length / 2));
    case 'app, first SHA byte inverted':
      return inverted(app, app.length - 32);
    case 'app, byte 0x1000 inverted':
      return inverted(app, 0x1000);
    case 'app, min revision 900, SHA made new':
      return withNewDigest(app, (copy) => copy.set([0x84, 0x03], 15));
    case 'nothing':
      return new Uint8Array(0);
    default:
      throw new Error(`No rule for the part "${what}"`);
  }
}

function flashOf({ flashSize, parts }: Case, images: Images): Uint8Array {
  const flash = new Uint8Array(flashSize).fill(0xff);
  for (const part of parts) flash.set(partBytes(part, images), Number(part.offset));
  return flash;
}

/** An app that does nothing: what is compared ends where the app starts. */
const silentApp = (): Program => ({ receive: () => undefined, stop: () => undefined });

function boot(flash: Uint8Array, isReal: boolean): BootBench {
  // A stand-in cannot be recognised by its content.
  return new BootBench({
    flash,
    startApp: silentApp,
    ...(!isReal && { traits: { logLevel: 'warning' as const, rollback: true } }),
  });
}

/** Up to the app's own lines. */
function bootLog(log: string): string {
  const end = log.search(/Performing initial setup|MicroPython v|E \(\d+\) partition:/);
  return withoutTimes(end < 0 ? log : log.slice(0, end));
}

function expectOtadata({ otadataAfter, parts }: Case, flash: Uint8Array, images: Images): void {
  const before = flashOf({ flashSize: flash.length, parts } as Case, images);
  for (const sector of [0, 1] as const) {
    const at = 0xd000 + sector * 0x1000;
    const wanted =
      otadataAfter === 'unchanged' ? toHex(before.subarray(at, at + 32)) : otadataAfter[`sector ${sector}`];
    expect(toHex(flash.subarray(at, at + 32)), `otadata sector ${sector}`).toBe(wanted);
  }
}

/** Checksums and lengths of the content depend on the image. */
const DEPENDS_ON_CONTENT = new Set(['app-flip', 'bl-flip', 'app-trunc', 'app-trunc-4k', 'both-bad']);
const withoutNumbers = (log: string): string =>
  log
    .replaceAll(/csum err:0x\w+!=0x\w+/g, 'csum err:…')
    .replaceAll(/Calculated 0x\w+ read 0x\w+/g, 'Calculated …')
    .replaceAll(/invalid segment length 0x\w+/g, 'invalid segment length …');

const SETS = [
  { name: 'the real firmware', isReal: true, images: hasFirmware ? realImages() : undefined },
  { name: 'stand-ins of the same shape', isReal: false, images: standInImages() },
];

for (const { name, isReal, images } of SETS) {
  const missing = images ? '' : ' (skipped: no firmware folder)';
  describe.skipIf(!images)(`with ${name}${missing}`, () => {
    test.each(CASES.filter(({ log }) => log !== undefined))('$id: $title', async (vector) => {
      const bench = await boot(flashOf(vector, images!), isReal).run(vector.reached === 'no prompt' ? 3000 : 4000);
      let wanted = bootLog(vector.log!);
      let seen = withoutTimes(bench.output);
      if (!isReal && DEPENDS_ON_CONTENT.has(vector.id)) [wanted, seen] = [withoutNumbers(wanted), withoutNumbers(seen)];
      expect(seen.slice(0, wanted.length)).toBe(wanted);
      expect(bench.program?.app !== undefined).toBe(vector.reached === 'MicroPython prompt');
      if (vector.reached === 'MicroPython prompt') expect(seen).toBe(wanted);
      expectOtadata(vector, bench.flash.bytes, images!);
    });

    test.each(CASES.filter(({ script }) => script !== undefined))('$id: $title', async (vector) => {
      const bench = await boot(flashOf(vector, images!), isReal).run(3000);
      const running = `ota_${bench.program!.startedApp!.target}`;
      expect(running).toBe(vector.runs);
      expect(vector.output).toContain(`running (0, ${bench.program!.startedApp!.partition.subtype}, `);
      replayScript(vector, bench);
      if (vector.output!.includes('--- after machine.reset()')) {
        bench.output = '';
        bench.reset('cpu-software');
        await bench.clock.advance(3000);
        const wanted = bootLog(vector.output!.slice(vector.output!.indexOf('ets Jul')));
        expect(withoutTimes(bench.output).slice(0, wanted.length)).toBe(wanted);
      }
      expectOtadata(vector, bench.flash.bytes, images!);
    });
  });
}

/** What the recorded session did with `set_boot` and `mark_app_valid_cancel_rollback`, with its results. */
function replayScript({ script, output }: Case, bench: BootBench): void {
  const { flash } = bench;
  const { partitions } = decodePartitionTable(flash.bytes.subarray(0x8000, 0x8c00));
  if (/^set_boot ota_1 /m.test(output!)) {
    expect(script).toContain('q.set_boot()');
    const result = setBootPartition(
      { flash, partitions, chipId: 0, chipRevision: 300, rollback: true, idf: 'before-6.0' },
      1,
    );
    const accepted = output!.includes('set_boot ota_1 None');
    expect(result).toBe(accepted ? OtaResult.Ok : OtaResult.ValidateFailed);
  }
  if (/^mark None/m.test(output!)) expect(markAppValid({ flash, partitions })).toBe(true);
}

test('every recorded boot is replayed', () => {
  const { cases } = JSON.parse(readFileSync(join(FIXTURES, 'manifest.json'), 'utf8')) as { cases: { file: string }[] };
  expect(CASES.map(({ id }) => `${id}.json`).sort()).toEqual(cases.map(({ file }) => file).sort());
});
