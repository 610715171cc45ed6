/** Restoring backups: what is written, what is refused, and what is said of a backup of another board. */
import { describe, expect, test } from 'vitest';
import { type Backup } from '#formats/backup/backup.ts';
import { decodeBackup } from '#formats/backup/backup-reader.ts';
import { concatBytes, equalBytes } from '#formats/bytes.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import { restoreNoticeMessage } from '#messages/restore-messages.ts';
import { type BackupPlanOptions, planBackup, runBackup } from '#workflows/backup.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { compareWithFlash } from '#workflows/flash-comparison.ts';
import { missingInBackup, planRestore, type RestorePlan } from '#workflows/restore.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { noise } from '../device/support/bench.ts';
import { type MemoryFlash } from '../support/memory-flash.ts';
import { type BoardLayout, identity, layOut, MIB, NVS_ROW, row, text, TWO_SLOTS } from './boards.ts';

const LAYOUT: BoardLayout = {
  partitions: TWO_SLOTS,
  settings: [text('app', 'name', 'kitchen')],
  boots: 0,
  contents: { 0x1000: noise(20_000), 0x10_0000: noise(300_000), 0x20_0000: noise(70_000, 3) },
};
const OTHER_MAC = '24:0a:c4:99:99:99';

async function backupOf(layout: BoardLayout, options: Partial<BackupPlanOptions> = {}): Promise<Backup> {
  const flash = layOut(layout);
  const state = await readBoardState(flash, identity(layout));
  const parts: Uint8Array[] = [];
  await runBackup(flash, planBackup(state, { created: '2026-07-31T12:00:00Z', ...options }), {
    sink: { append: async (bytes) => void parts.push(bytes) },
  });
  return decodeBackup(concatBytes(...parts));
}

interface Target {
  layout?: BoardLayout;
  mac?: string | undefined;
  partitions?: string[];
}

/** The plan for a board with that on it. */
async function planOnto(
  backup: Backup,
  { layout = {}, partitions, ...other }: Target = {},
): Promise<{ flash: MemoryFlash; plan: RestorePlan }> {
  const flash = layOut(layout);
  const who = { ...identity(layout), ...other };
  const state = { ...(await readBoardState(flash, who)), identity: who };
  return { flash, plan: planRestore(backup, state, { partitions }) };
}

const codes = (notices: readonly { code: string }[]): string[] => notices.map(({ code }) => code);

describe('a whole backup', () => {
  const original = layOut(LAYOUT).bytes;

  test('brings a board back to the last byte, whatever was on it', async () => {
    const wreck: BoardLayout = { contents: { 0: noise(0x2_0000, 9), 0x18_0000: noise(MIB, 4) } };
    const { flash, plan } = await planOnto(await backupOf(LAYOUT), { layout: wreck });
    expect([plan.objections, plan.warnings]).toEqual([[], []]);
    await runFlashPlan(flash, plan);
    expect(equalBytes(flash.bytes, original)).toBe(true);
  });

  test('writes only what differs', async () => {
    const { flash, plan } = await planOnto(await backupOf(LAYOUT), { layout: LAYOUT });
    flash.bytes[0x9123]! ^= 1;
    flash.bytes[0x31_0000] = 0;
    const comparison = await compareWithFlash(flash, plan);
    expect(comparison.bytesToSend(plan)).toBeLessThanOrEqual(0x2_0000);
    await runFlashPlan(flash, plan, { comparison });
    expect(new Set(flash.writes.map((offset) => offset & ~0xffff))).toEqual(new Set([0, 0x31_0000]));
    expect(equalBytes(flash.bytes, original)).toBe(true);
  });

  test('names each write by its partition', async () => {
    const { plan } = await planOnto(await backupOf(LAYOUT));
    const labels = new Map(plan.writes.map(({ label, role, offset }) => [label, { role, offset }]));
    expect([...labels.keys()]).toEqual([
      'outside of partitions',
      'boot loader',
      'partition table',
      'nvs',
      'otadata',
      'phy_init',
      'ota_0',
      'ota_1',
    ]);
    expect(labels.get('nvs')).toEqual({ role: 'nvs', offset: 0x9000 });
    expect(plan.writes.filter(({ why }) => why === 'blank-in-backup').length).toBeGreaterThan(5);
  });

  test('fits a larger flash', async () => {
    const layout = { flashSize: 8 * MIB };
    const { flash, plan } = await planOnto(await backupOf(LAYOUT), { layout });
    expect(plan.objections).toEqual([]);
    await runFlashPlan(flash, plan);
    expect(equalBytes(flash.bytes.subarray(0, 4 * MIB), original)).toBe(true);
  });
});

describe('some partitions', () => {
  test('are put back, and nothing else is touched', async () => {
    const layout = { ...LAYOUT, settings: [text('app', 'name', 'cellar')] };
    const { flash, plan } = await planOnto(await backupOf(LAYOUT), { layout, partitions: ['nvs', 'ota_1'] });
    expect(new Set(plan.writes.map(({ label }) => label))).toEqual(new Set(['nvs', 'ota_1']));
    await runFlashPlan(flash, plan);
    expect(new Set(flash.writes)).toEqual(new Set([0x9000]));
    expect(equalBytes(flash.bytes, layOut(LAYOUT).bytes)).toBe(true);
  });

  test('that the board has elsewhere are objected to, unless the table comes along', async () => {
    const backup = await backupOf(LAYOUT);
    const layout = { ...LAYOUT, partitions: [...TWO_SLOTS.slice(1), row('nvs', [1, 2], [0x31_0000, 0x4000])] };
    const onto = async (...partitions: string[]): Promise<string[]> =>
      codes((await planOnto(backup, { layout, partitions })).plan.objections);
    expect(await onto('nvs')).toEqual(['backup-partition-elsewhere']);
    expect(await onto('ota_0', 'bootloader')).toEqual([]);
    expect(await onto('partition-table', 'nvs')).toEqual([]);
    // Without a table on the board there is nothing to compare with.
    expect(codes((await planOnto(backup, { partitions: ['nvs'] })).plan.objections)).toEqual([]);
  });

  test('that the backup does not hold are objected to, before and with a board', async () => {
    const backup = await backupOf(LAYOUT, { partitions: ['nvs', 'otadata'] });
    expect(missingInBackup(backup, { partitions: ['nvs'] })).toEqual([]);
    expect(missingInBackup(backup)).toEqual([]);
    const missing = { code: 'backup-part-missing', values: { label: 'ota_0', at: 0x10_0000 } };
    expect(missingInBackup(backup, { partitions: ['nvs', 'ota_0'] })).toMatchObject([missing]);
    const { plan } = await planOnto(backup, { partitions: ['nvs', 'ota_0'] });
    expect(plan.objections).toMatchObject([missing]);
  });

  test('that no table has are refused', async () => {
    await expect(planOnto(await backupOf(LAYOUT), { partitions: ['spiffs'] })).rejects.toMatchObject({
      code: 'partition-not-found',
    });
  });
});

describe('a board that it must not go to', () => {
  test.each<[string, Target, string[]]>([
    ['has another chip', { layout: { chip: 'esp32s3' } }, ['backup-wrong-chip']],
    ['has less flash', { layout: { flashSize: 2 * MIB } }, ['backup-beyond-flash']],
    ['runs signed code only', { layout: { security: { secureBoot: 'v2' } } }, ['secure-boot']],
    ['decrypts its flash', { layout: { security: { flashEncryption: 'release' } } }, ['flash-encryption']],
    ['lets nothing be read', { layout: { security: { secureDownload: true } } }, ['secure-download-mode']],
  ])('%s', async (_, target, expected) => {
    const { flash, plan } = await planOnto(await backupOf(LAYOUT), target);
    expect(codes(plan.objections)).toEqual(expected);
    await expect(runFlashPlan(flash, plan)).rejects.toMatchObject({ code: 'plan-refused' });
    expect(flash.writes).toEqual([]);
    for (const notice of plan.objections) expect(restoreNoticeMessage(notice).what).toMatch(/\.$/);
  });

  test('is another one than that whose flash was encrypted', async () => {
    const plain = await backupOf(LAYOUT);
    const backup: Backup = { ...plain, manifest: { ...plain.manifest, flashEncryption: 'development' } };
    expect(codes((await planOnto(backup, { mac: OTHER_MAC })).plan.objections)).toEqual(['backup-encrypted']);
    expect(codes((await planOnto(backup)).plan.objections)).toEqual([]);
  });

  test('is smaller, but a part that fits may go to it', async () => {
    const layout = { flashSize: 2 * MIB };
    const { plan } = await planOnto(await backupOf(LAYOUT), { layout, partitions: ['nvs'] });
    expect(plan.objections).toEqual([]);
  });
});

describe('a backup of another board', () => {
  const phy: NvsEntry = { namespace: 'phy', key: 'cal_data', type: 'blob', value: noise(100) };
  const keysRow = row('nvs_key', [1, 4], [0x30_0000, 0x1000]);
  /** Pages as NVS encryption leaves them: their headers are plain, nothing else can be read. */
  const encrypted = encodeNvs([text('app', 'name', 'kitchen')], NVS_ROW.size);
  encrypted.set(noise(0x3c0), 0x40);

  const other = async (layout: BoardLayout, target: Target = {}): Promise<RestorePlan> =>
    (await planOnto(await backupOf(layout), { mac: OTHER_MAC, ...target })).plan;

  test('has a warning that names both', async () => {
    const { warnings } = await other({ partitions: TWO_SLOTS });
    expect(warnings).toMatchObject([
      { code: 'backup-other-mac', values: { backup: '24:0a:c4:12:34:56', board: OTHER_MAC } },
    ]);
  });

  test.each<[string, BoardLayout, string[]]>([
    ['settings', { settings: [text('app', 'name', 'kitchen')] }, ['backup-has-settings']],
    ['calibration of the radio', { settings: [phy] }, ['backup-has-calibration']],
    ['both', { settings: [text('app', 'name', 'kitchen'), phy] }, ['backup-has-settings', 'backup-has-calibration']],
    ['encrypted settings', { contents: { 0x9000: encrypted } }, ['backup-has-encrypted-settings']],
    [
      'encrypted settings with their key',
      { contents: { 0x9000: encrypted, 0x30_0000: noise(68) }, partitions: [...TWO_SLOTS, keysRow] },
      ['backup-has-settings-key'],
    ],
    [
      'encrypted settings whose key is not made yet',
      { contents: { 0x9000: encrypted }, partitions: [...TWO_SLOTS, keysRow] },
      ['backup-has-encrypted-settings'],
    ],
  ])('names what is bound to it: %s', async (_, layout, expected) => {
    const { warnings, objections } = await other({ partitions: TWO_SLOTS, ...layout });
    expect(codes(warnings)).toEqual(['backup-other-mac', ...expected]);
    expect(objections).toEqual([]);
    for (const notice of warnings) expect(restoreNoticeMessage(notice).what).toMatch(/\.$/);
  });

  test('does not name what is not restored', async () => {
    expect(codes((await other(LAYOUT, { partitions: ['ota_0'] })).warnings)).toEqual(['backup-other-mac']);
    const layout = { contents: { 0x9000: encrypted, 0x30_0000: noise(68) }, partitions: [...TWO_SLOTS, keysRow] };
    expect(codes((await other(layout, { partitions: ['nvs'] })).warnings)).toEqual([
      'backup-other-mac',
      'backup-has-encrypted-settings',
    ]);
  });

  test('that does not say whose it is, is told as such', async () => {
    expect(codes((await other(LAYOUT, { mac: undefined })).warnings)).toEqual([
      'backup-mac-unknown',
      'backup-has-settings',
    ]);
  });
});

test('a table of nonsense in a backup harms nobody', async () => {
  const backup = await backupOf({
    partitions: [row('nvs', [1, 2], [0xffff_f000, 0xffff_ffff]), row('x', [0, 0], [0x1000, 0xffff_ffff])],
  });
  const { plan } = await planOnto(backup, { mac: OTHER_MAC });
  expect(codes(plan.warnings)).toEqual(['backup-other-mac']);
  expect(plan.writes.reduce((sum, { data }) => sum + data.length, 0)).toBe(4 * MIB);
});
