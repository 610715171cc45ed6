/** `twostep otadata` on every vector, whose answers are those of ESP-IDF's own functions. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { encodeOtadata, OtaState } from '#formats/otadata.ts';
import { bootCases, otadataVectors, type OtadataVector, selectionCases } from '../formats/otadata-fixtures.ts';
import { tableOf } from '../formats/release/support.ts';
import { runCli } from './run-cli.ts';

const fixture = ({ outputs }: OtadataVector): string => join('test/fixtures/otadata', outputs[0]!);
const vectorOf = (id: string): OtadataVector => otadataVectors.find((vector) => vector.id === id)!;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-otadata-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const out = (): string => join(folder, 'out.bin');
/** Both entries in hex; the rest must be erased. */
function written(): string[] {
  const bytes = readFileSync(out());
  expect(bytes.length).toBe(0x2000);
  return [0, 0x1000].map((start) => {
    expect(bytes.subarray(start + 32, start + 0x1000).every((byte) => byte === 0xff)).toBe(true);
    return toHex(bytes.subarray(start, start + 32));
  });
}

function writeTable(slots: number, factory: boolean): string {
  const path = join(folder, 'table.bin');
  const app = (name: string, subtype: number, index: number) =>
    [name, 0, subtype, 0x1_0000 * (index + 1), 0x1_0000] as [string, number, number, number, number];
  const otas = Array.from({ length: slots }, (_, slot) => app(`ota_${slot}`, 0x10 + slot, slot + 1));
  writeFileSync(path, tableOf(['otadata', 1, 0, 0xd000, 0x2000], ...(factory ? [app('factory', 0, 0)] : []), ...otas));
  return path;
}

describe('show', () => {
  test.each(otadataVectors)('$id shows its entries', async (vector) => {
    const { code, records } = await runCli(['otadata', 'show', fixture(vector), '--json']);
    expect({ code, records }).toMatchObject({
      code: 0,
      records: [{ entries: vector.expected.entries, active: vector.expected.active }],
    });
  });

  const cases = bootCases.filter(({ bootable }) => bootable === undefined);

  test.each(cases)('$title: what starts, by options', async ({ vector, expected, table }) => {
    const options = [...(table.hasFactory ? ['--factory'] : []), ...(table.rollback ? ['--rollback'] : [])];
    const args = ['otadata', 'show', fixture(vector), '--slots', `${table.slotCount}`, ...options];
    const { records } = await runCli([...args, '--json']);
    expect(records).toMatchObject([{ boots: expected.booted, log: expected.log[0] ?? null }]);
    expect((await runCli(args)).out).toContain(`\nStarts ${expected.booted}: `);
  });

  test.each(cases)('$title: what starts, by a table', async ({ vector, expected, table }) => {
    const options = [
      '--partitions',
      writeTable(table.slotCount, table.hasFactory),
      ...(table.rollback ? ['--rollback'] : []),
    ];
    const { records } = await runCli(['otadata', 'show', fixture(vector), '--json', ...options]);
    expect(records).toMatchObject([{ boots: expected.booted, slots: table.slotCount, factory: table.hasFactory }]);
  });

  test('a table may be a CSV, and may have no otadata or no app at all', async () => {
    const path = join(folder, 'table.csv');
    const show = async (csv: string): Promise<unknown> => {
      writeFileSync(path, csv);
      return (await runCli(['otadata', 'show', fixture(vectorOf('od-blank')), '--partitions', path, '--json']))
        .records[0];
    };
    const otadata = 'otadata, data, ota, 0xd000, 0x2000\n';
    const slots = 'a, app, ota_0, 0x10000, 64K\nb, app, ota_1, 0x20000, 64K\n';
    expect(await show(otadata + slots)).toMatchObject({ boots: 'ota_0', slots: 2 });
    expect(await show(slots)).toMatchObject({ boots: 'ota_0', reason: 'no-otadata' });
    expect(await show('nvs, data, nvs, 0x9000, 0x4000\n')).toMatchObject({ boots: null, order: [] });
  });

  test.each<[string, string, () => string[]]>([
    ['otadata-too-short', 'short.bin', () => []],
    ['partition-', 'table.bin', () => ['--partitions', join(folder, 'table.bin')]],
  ])('%s is refused with the file', async (refused, file, options) => {
    writeFileSync(join(folder, 'short.bin'), new Uint8Array(0x1fff));
    writeFileSync(join(folder, 'table.bin'), new Uint8Array([0xaa, 0x50, 1, 2]));
    const input = file === 'short.bin' ? join(folder, file) : fixture(vectorOf('od-blank'));
    const { code, err } = await runCli(['otadata', 'show', input, ...options()]);
    expect(code).toBe(2);
    expect(err).toContain(`${file}`);
    expect(err).toContain(`: ${refused}`);
  });
});

describe('set', () => {
  test.each(selectionCases)('$title', async ({ vector, expected, slotCount, target }) => {
    const args = ['otadata', 'set', `ota_${target}`, fixture(vector), '--slots', `${slotCount}`, '-o', out()];
    expect(await runCli(args)).toEqual({ code: 0, out: '', err: '', records: [] });
    expect(written()).toEqual(expected.idf_4_4_to_5_5.sectors);
    await runCli([...args, '--idf', '6.0']);
    expect(written()).toEqual(expected.idf_6_0.sectors);
    await runCli([...args, '--state', 'NEW']);
    expect(written()).toEqual(expected.idf_5_1_rollback.sectors);
  });

  /** The chains of switches that otatool.py made, of which the fixtures hold some of the steps. */
  test.each([
    [
      2,
      ['ota_0', 'ota_1', 'ota_0', 'ota_1', 'ota_1', 'ota_0'],
      { 2: 'switch2-2-to-1', 4: 'switch2-4-to-1', 6: 'switch2-6-to-0' },
    ],
    [3, ['ota_2', 'ota_0', 'ota_1', 'ota_2'], { 2: 'switch3-2-to-0', 4: 'switch3-4-to-2' }],
    [16, ['ota_15', 'ota_3'], { 2: 'switch16-2-to-3' }],
  ])('a chain of switches among %d slots is that of otatool', async (slots, targets, steps: Record<number, string>) => {
    for (const [index, target] of targets.entries()) {
      const before = index === 0 ? [] : [out()];
      await runCli(['otadata', 'set', target, ...before, '--slots', `${slots}`, '-o', out()]);
      const step = steps[index + 1];
      if (step !== undefined) {
        expect(Buffer.compare(readFileSync(out()), readFileSync(`test/fixtures/otadata/${step}.bin`))).toBe(0);
      }
    }
  });

  test('from nothing it is what an installer writes', async () => {
    await runCli(['otadata', 'set', '0', '-o', out()]);
    expect(Buffer.compare(readFileSync(out()), readFileSync(fixture(vectorOf('od-boot-ota0'))))).toBe(0);
    await runCli(['otadata', 'set', 'ota_15', '--state', 'valid', '-o', out()]);
    expect(written()[0]).toMatch(/^10000000(ff){20}02000000/);
    await runCli(['otadata', 'set', 'ota_1', '--state', '0x20', '-o', out()]);
    expect(written()[0]).toMatch(/^02000000(ff){20}20000000/);
  });

  test('the factory app is selected by erasing both sectors', async () => {
    const blank = readFileSync(fixture(vectorOf('od-blank')));
    await runCli(['otadata', 'set', 'factory', fixture(vectorOf('od-state-new')), '-o', out()]);
    expect(Buffer.compare(readFileSync(out()), blank)).toBe(0);
    await runCli(['otadata', 'set', 'factory', '--partitions', writeTable(2, true), '-o', out()]);
    expect(Buffer.compare(readFileSync(out()), blank)).toBe(0);
  });

  test.each<[string, () => string[]]>([
    ['otadata-bad-slot', () => ['ota_2', fixture(vectorOf('od-blank'))]],
    ['otadata-bad-slot', () => ['ota_2', '--slots', '2']],
    ['otadata-bad-slot', () => ['ota_2', '--partitions', writeTable(2, false)]],
    ['otadata-no-factory', () => ['factory', '--partitions', writeTable(2, false)]],
    ['otadata-no-entry', () => ['factory', '--state', 'VALID']],
    ['file-missing', () => ['ota_0', join(folder, 'missing.bin')]],
  ])('%s is refused', async (refused, args) => {
    const { code, err } = await runCli(['otadata', 'set', ...args(), '-o', out()]);
    expect({ code, refused: err.includes(`${refused}: `) }).toEqual({ code: 2, refused: true });
    expect(readdirSync(folder)).not.toContain('out.bin');
  });

  test.each([
    ['ota_16'],
    ['factory1'],
    ['-1'],
    ['ota_0', '--state', 'GOOD'],
    ['ota_0', '--state', '0x100000000'],
    ['ota_0', '--slots', '17'],
    ['ota_0', '--slots', '0'],
    ['ota_0', '--idf', '4'],
  ])('what makes no sense is refused: %s %s %s', async (...args) => {
    expect(await runCli(['otadata', 'set', ...args, '-o', out()])).toMatchObject({ code: 2 });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('rollback', () => {
  test('marks the selected app invalid, so that the other starts', async () => {
    const before = join(folder, 'before.bin');
    const valid = (sequence: number) => ({ sequence, state: OtaState.Valid });
    writeFileSync(before, encodeOtadata({ entries: [valid(1), valid(2)] }));
    expect(await runCli(['otadata', 'rollback', before, '-o', out()])).toMatchObject({ code: 0, err: '' });
    const { records } = await runCli(['otadata', 'show', out(), '--json']);
    expect(records).toMatchObject([{ boots: 'ota_0', entries: [{ state: 'VALID' }, { state: 'INVALID' }] }]);
  });

  test.each<[string, () => string[]]>([
    ['otadata-no-rollback', () => []],
    ['otadata-no-rollback', () => ['--partitions', writeTable(2, false)]],
    ['', () => ['--factory']],
    ['', () => ['--partitions', writeTable(2, true)]],
  ])('from a lone entry only to a factory app: %s', async (refused, options) => {
    const input = fixture(vectorOf('od-boot-ota0'));
    const { code, err } = await runCli(['otadata', 'rollback', input, '-o', out(), ...options()]);
    expect(code).toBe(refused === '' ? 0 : 2);
    expect(err).toContain(refused);
  });
});

test('blank is what gen_empty_partition.py makes', async () => {
  expect(await runCli(['otadata', 'blank', '-o', out()])).toMatchObject({ code: 0 });
  expect(Buffer.compare(readFileSync(out()), readFileSync(fixture(vectorOf('od-blank'))))).toBe(0);
});
