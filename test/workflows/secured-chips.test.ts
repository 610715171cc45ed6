/** Chips whose eFuses secure them: what is refused before anything is erased, and what is left to do. */
import { describe, expect, test } from 'vitest';
import { alignUp } from '#formats/bytes.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { encodePartitionTable } from '#formats/partition-table.ts';
import { type Release } from '#formats/release/release.ts';
import { type EfuseSettings } from '#sim/board/efuses.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { listenToHost } from '../device/support/host-frames.ts';
import { type Bench, type BenchOptions, noise, onBench } from '../device/support/bench.ts';
import { appImage, bootloaderImage, makeRelease, type VirtualChip } from '../support/releases.ts';
import { signedV1, signedV2 } from '../support/signatures.ts';
import { identity, MIB, NVS_ROW, payload, readBoard, text, TWO_SLOTS } from './boards.ts';

const DATA = { name: 'voices.bin', bytes: payload(20_000) };
const SETTINGS = [text('app', 'name', 'kitchen')];
/** BEGINs of the ROM and the stub, and the stub's own erases. */
const ERASING = new Set([0x02, 0x10, 0xd0, 0xd1]);

const codesOf = ({ objections }: FlashPlan): string[] => objections.map(({ code }) => code);

/** A release whose app carries a signature of that scheme. */
function signedRelease(chip: VirtualChip, scheme: 'v1' | 'v2'): Release {
  const release = makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS, version: '3.0.0' });
  const [build] = release.builds;
  const { app } = build!;
  const data = scheme === 'v1' ? signedV1(app.data) : signedV2(app.data);
  return { ...release, builds: [{ ...build!, app: { ...app, data } }] };
}

/** A board in use: boot loader, table, settings and an older app. */
function board(chip: VirtualChip, efuses: EfuseSettings): BenchOptions {
  const flash = noise(4 * MIB);
  const put = (offset: number, bytes: Uint8Array): void => {
    flash.fill(0xff, offset, alignUp(offset + bytes.length, 0x1000)).set(bytes, offset);
  };
  put(identity({ chip }).chip.bootloaderOffset, bootloaderImage(chip));
  put(0x8000, encodePartitionTable(TWO_SLOTS));
  put(NVS_ROW.offset, encodeNvs(SETTINGS, NVS_ROW.size));
  put(0xd000, encodeOtadata({ slot: 0, slotCount: 2 }));
  put(0x10_0000, appImage({ chip, version: '1.0.0' }));
  return { chip, efuses, flash };
}

async function planFor(
  bench: Bench,
  release: Release,
  options: ProvisionOptions,
): Promise<[FlashPlan, () => Promise<unknown>]> {
  const loader = await bench.connect({ flashSize: 4 * MIB });
  const plan = planProvision(release, await readBoardState(loader, loader.identity), options);
  return [plan, () => provision(loader, plan, { after: 'none' })];
}

const REFUSED: [VirtualChip, EfuseSettings, ProvisionOptions, string[]][] = [
  ['esp32', { flashEncryption: 'development' }, {}, ['flash-encryption']],
  ['esp32', { flashEncryption: 'release' }, {}, ['flash-encryption']],
  ['esp32s3', { flashEncryption: 'development' }, { signed: true }, ['flash-encryption']],
  ['esp32c3', { flashEncryption: 'release' }, {}, ['flash-encryption']],
  ['esp32', { secureBoot: 'v1' }, {}, ['secure-boot']],
  ['esp32', { secureBoot: 'v2' }, {}, ['secure-boot']],
  ['esp32s3', { secureBoot: 'v2' }, {}, ['secure-boot']],
  ['esp32c3', { secureBoot: 'v2' }, {}, ['secure-boot']],
  ['esp32s3', { secureDownload: true }, {}, ['secure-download-mode']],
  ['esp32c3', { secureDownload: true }, { signed: true }, ['secure-download-mode']],
  ['esp32c3', { secureDownload: true, secureBoot: 'v2' }, { signed: true }, ['secure-download-mode']],
  [
    'esp32s3',
    { secureDownload: true, secureBoot: 'v2', flashEncryption: 'release' },
    {},
    ['secure-download-mode', 'flash-encryption', 'secure-boot'],
  ],
  ['esp32', { secureBoot: 'v1' }, { signed: true }, ['not-signed']],
  ['esp32s3', { secureBoot: 'v2' }, { signed: true }, ['not-signed']],
  ['esp32c3', { secureBoot: 'v2' }, { signed: true }, ['not-signed']],
  ['esp32c3', { secureBoot: 'v2' }, { signed: true, table: { kind: 'two-slot' } }, ['secure-boot-keeps']],
  ['esp32c3', { secureBoot: 'v2' }, { signed: true, header: { mode: 'dio' } }, ['secure-boot-keeps']],
];

test.each(REFUSED)(
  'an %s with %j, wishes %j: refused for %j, and nothing that erases is sent',
  (chip, efuses, options, codes) =>
    onBench(board(chip, efuses), async (bench) => {
      const asked = listenToHost(bench);
      const before = bench.board.snapshot();
      const release = makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS });
      const [plan, run] = await planFor(bench, release, { data: DATA, ...options });
      expect(codesOf(plan)).toEqual(codes);
      await expect(run()).rejects.toMatchObject({ code: 'plan-refused' });
      expect(asked().filter(({ op }) => ERASING.has(op))).toEqual([]);
      expect(Buffer.compare(bench.board.snapshot(), before)).toBe(0);
      expect(await bench.isFree()).toBe(true);
    }),
);

test('a chip that revokes keys is refused whatever is vouched for', async () => {
  const state = await readBoard({ chip: 'esp32c3', security: { secureBoot: 'v2', aggressiveRevoke: true } });
  const plan = planProvision(signedRelease('esp32c3', 'v2'), state, { signed: true });
  expect(codesOf(plan)).toEqual(['secure-boot-revokes']);
  expect(plan.writes).toEqual([]);
});

describe('a signed release on a board with secure boot', () => {
  test.each([
    ['esp32', 'v1'],
    ['esp32', 'v2'],
    ['esp32s3', 'v2'],
    ['esp32c3', 'v2'],
  ] as const)('%s, %s: app and data are written, boot loader, table and settings stay', (chip, secureBoot) =>
    onBench(board(chip, { secureBoot }), async (bench) => {
      const before = bench.board.snapshot();
      const release = signedRelease(chip, secureBoot);
      const [plan, run] = await planFor(bench, release, { data: DATA, signed: true });
      expect(plan.objections).toEqual([]);
      expect(plan.warnings.map(({ code }) => code)).toContain('secure-boot-app-only');
      expect(plan.writes.map(({ role }) => role)).toEqual(['otadata', 'app', 'data']);
      expect(plan.writes.find(({ role }) => role === 'app')?.data).toEqual(release.builds[0]!.app.data);
      await run();
      const after = bench.board.snapshot();
      for (const { offset, data } of plan.writes) {
        before.fill(0xff, offset, alignUp(offset + data.length, 0x1000)).set(data, offset);
      }
      expect(Buffer.compare(after, before)).toBe(0);
      expect(decodeNvs(after.subarray(NVS_ROW.offset, NVS_ROW.offset + NVS_ROW.size)).entries).toEqual(SETTINGS);
    }),
  );

  test('a signature of the other scheme does not do', async () => {
    const state = await readBoard({ partitions: TWO_SLOTS, security: { secureBoot: 'v1' } });
    const plan = planProvision(signedRelease('esp32', 'v2'), state, { signed: true });
    expect(codesOf(plan)).toContain('not-signed');
  });

  test('the word of the user changes nothing on a board without secure boot', async () => {
    const state = await readBoard();
    const release = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS });
    expect(planProvision(release, state, { signed: true })).toEqual(planProvision(release, state));
  });

  test('Wi-Fi goes into the settings as on any board', async () => {
    const state = await readBoard({
      partitions: TWO_SLOTS,
      settings: SETTINGS,
      contents: { 0x1000: bootloaderImage('esp32') },
      security: { secureBoot: 'v2' },
    });
    const wifi = { store: { kind: 'idf' } as const, ssid: 'workshop', password: 'correct horse' };
    const plan = planProvision(signedRelease('esp32', 'v2'), state, { signed: true, wifi });
    expect(plan.objections).toEqual([]);
    expect(plan.writes.filter(({ transient }) => !transient).map(({ role }) => role)).toEqual([
      'nvs',
      'otadata',
      'app',
    ]);
    expect(plan.writes.every(({ offset }) => offset >= 0x9000)).toBe(true);
  });

  test('a board that has no table gets none', async () => {
    const state = await readBoard({ security: { secureBoot: 'v2' } });
    const plan = planProvision(signedRelease('esp32', 'v2'), state, { signed: true });
    expect(codesOf(plan)).toEqual(['no-table']);
    expect(plan.writes).toEqual([]);
  });
});
