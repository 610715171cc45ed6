/** The flash cases measure what they say they do. How fast anything is shows only in a full run. */
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { boundOf, flashMsOf, framedBytes } from './bounds.ts';
import { type FlashCase, flashCases } from './cases.ts';
import { changedSectors, KIB, makeImage, MIB } from './images.ts';
import { bytesOf, flashBefore, partsAfter, provisionGoods } from './jobs.ts';
import { LINES } from './lines.ts';
import { modelledTable, runModelled } from './modelled.ts';
import { flashTable, targetTable } from './report.ts';
import { CaseRunner, type FlashResult } from './run-case.ts';
import { heldAgainstTargets } from './targets.ts';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const packedShare = (bytes: Uint8Array): number => deflateSync(bytes).length / bytes.length;

describe('images', () => {
  test('compress as they are called', () => {
    expect(packedShare(makeImage({ kind: 'app', length: MIB }))).toBeCloseTo(0.5, 1);
    expect(packedShare(makeImage({ kind: 'noise', length: MIB }))).toBeGreaterThan(1);
    expect(packedShare(makeImage({ kind: 'mostly-blank', length: MIB }))).toBeLessThan(0.05);
  });

  test('differ in the sectors that are said to, and in no other', () => {
    const spec = { kind: 'changed', length: 4 * MIB, share: 0.01 } as const;
    const [one, other] = [makeImage({ kind: 'noise', length: spec.length }), makeImage(spec)];
    const differing = new Set<number>();
    for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) differing.add(at - (at % 4096));
    expect([...differing]).toEqual(changedSectors(spec));
    expect(differing.size).toBe(10);
  });

  test('of a provisioning are those of a plan that nothing speaks against', async () => {
    const { parts } = await provisionGoods({ kind: 'provision', chip: 'esp32s3', app: 64 * KIB, data: 16 * KIB });
    // Boot loader, table, otadata, app, data at least.
    expect(parts.length).toBeGreaterThan(4);
    expect(parts.some(({ data }) => data.length > 64 * KIB)).toBe(true);
  });
});

describe('bounds', () => {
  test('count frames, headers, borders and escapes', () => {
    expect(framedBytes(filled(0x4001, 0), 0x4000, 24)).toBe(0x4001 + 2 * 26);
    expect(framedBytes(Uint8Array.of(0xc0, 0xdb, 0), 0x4000, 0)).toBe(3 + 2 + 2);
  });

  test.each([
    { what: 'a block that holds something', before: filled(0x1_0000, 0), ms: 150 + 256 * 0.5 },
    { what: 'a block of which three sectors hold something', before: mixed(3), ms: 3 * 45 + 256 * 0.5 },
    { what: 'a blank block', before: filled(0x1_0000, 0xff), ms: 256 * 0.5 },
  ])('take the erase of $what', ({ before, ms }) => {
    expect(flashMsOf(before, { offset: 0, data: filled(0x1_0000, 1) })).toBe(ms);
  });

  test('take no time for pages that stay blank', () => {
    expect(flashMsOf(filled(0x1_0000, 0), { offset: 0, data: filled(0x1000, 0xff) })).toBe(45);
  });

  test('are the larger of wire and flash', async () => {
    const job = { kind: 'write', image: { kind: 'noise', length: MIB } } as const;
    const slow = await boundOf(job, LINES['921600']);
    expect(slow.totalMs).toBe(slow.wireMs);
    expect(slow.wireMs).toBeCloseTo((MIB * 1.009) / 92.16, -2);
    const fast = await boundOf(job, LINES.usb);
    expect(fast.totalMs).toBe(16 * 150 + 4096 * 0.5);
  });

  test('count only what differs, and the hash that tells it', async () => {
    const job = flashCases(false).find(({ name }) => name === 'one-percent-921600')!.job;
    const { md5Ms, flashMs, wireMs } = await boundOf(job, LINES['921600']);
    expect(md5Ms).toBe(1000);
    expect(flashMs).toBe(10 * (45 + 16 * 0.5));
    expect(wireMs).toBeCloseTo((10 * 4096 * 1.015) / 92.16, -1);
  });
});

function mixed(used: number): Uint8Array {
  const block = filled(0x1_0000, 0xff);
  block.fill(0, 0, used * 0x1000);
  return block;
}

describe('cases', () => {
  test('have names of their own, and fit their flash', async () => {
    for (const cases of [flashCases(false), flashCases(true)]) {
      expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
      expect(cases.length).toBeGreaterThan(10);
    }
    const { job } = flashCases(false).find(({ name }) => name === 'provision-921600')!;
    const flash = flashBefore(job);
    for (const { offset, data } of await partsAfter(job))
      expect(offset + data.length).toBeLessThanOrEqual(flash.length);
    expect(bytesOf(job)).toBeGreaterThan(MIB);
  });
});

describe('targets', () => {
  const result = (name: string, client: FlashResult['client'], elapsedMs: number): FlashResult => ({
    case: name,
    title: 'some bytes',
    line: '921600',
    client,
    boards: 1,
    rounds: 1,
    bytes: MIB,
    bound: { wireMs: 1000, flashMs: 0, md5Ms: 0, totalMs: 1000 },
    elapsedMs,
    cpu: { own: 50, compress: 0, channel: 0 },
    stallMs: 30,
    memoryMib: 10,
  });

  test('are met, missed, or not run', () => {
    const ours = result('noise-921600', 'twostep', 1020);
    const targets = heldAgainstTargets([ours, result('noise-921600', 'tasmota', 1010), result('x', 'tasmota', 1)]);
    const verdict = (words: string) => targets.find(({ text }) => text.includes(words));
    expect(verdict('97 %')).toMatchObject({ value: '98.0 %', isMet: true });
    expect(verdict('peer')).toMatchObject({ value: '0.99 (noise-921600, tasmota)', isMet: true });
    expect(verdict('stall')).toMatchObject({ value: '30 ms (noise-921600)', isMet: false });
    expect(verdict('2.5 MiB')).toMatchObject({ value: undefined, isMet: undefined });
    expect(targetTable(targets)).toContain('MISSED');
    expect(flashTable([ours])).toContain('98.0 %');
  });
});

test('modelled time is told by command, and is the same each time', async () => {
  const modelled = flashCases(false).find(({ name }) => name === 'noise-115200')!;
  const [first, second] = [await runModelled(modelled), await runModelled(modelled)];
  expect(first).toEqual(second);
  const sum = first.commands.reduce((ms, { wireMs, waitMs }) => ms + wireMs + waitMs, 0);
  expect(sum).toBeGreaterThan(0.98 * first.elapsedMs);
  expect(first.elapsedMs).toBeGreaterThan(first.boundMs);
  expect(modelledTable([first])).toContain('MD5');
});

test('a case runs over real processes, and its figures are sound', async () => {
  const tiny: FlashCase = {
    name: 'tiny',
    title: 'incompressible',
    line: LINES['2M'],
    // Enough that what the work takes stands out from what the channel takes, which is measured by itself.
    job: { kind: 'write', image: { kind: 'noise', length: 128 * KIB } },
    boards: 2,
    clients: ['twostep'],
  };
  const { results, failures } = await new CaseRunner(50).run(tiny, ['twostep'], { count: 1, ms: Infinity });
  expect(failures).toEqual([]);
  const [measured] = results;
  expect(measured).toMatchObject({ case: 'tiny', client: 'twostep', boards: 2, rounds: 1, bytes: 128 * KIB });
  expect(measured!.elapsedMs).toBeGreaterThan(measured!.bound.totalMs);
  expect(measured!.cpu.own).toBeGreaterThan(0);
  expect(measured!.cpu.channel).toBeGreaterThan(0);
});
