import { describe, expect, test } from 'vitest';
import { isBlank } from '#formats/bytes.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsString } from '#formats/nvs/nvs.ts';
import { decodeOtadata } from '#formats/otadata.ts';
import { decodePartitionTable, otaSlots } from '#formats/partition-table.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release } from '#formats/release/release.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { boardHints } from '#workflows/board-hints.ts';
import { type FlashPlan, type FlashRole, type FlashWrite } from '#workflows/flash-plan.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import {
  APP,
  type BoardLayout,
  dataImage,
  fixture,
  MIB,
  NVS_ROW,
  payload,
  readBoard,
  row,
  sample,
  swappedBoard,
  text,
  TWO_SLOTS,
} from './boards.ts';

const DATA = { name: 'voices.bin', bytes: payload(70_000) };
const SETTINGS = [text('app', 'name', 'kitchen'), text('app', 'token', 'abc')];
const WIFI = { store: { kind: 'idf' } as const, ssid: 'workshop', password: 'correct horse' };

async function plan(
  release: Parameters<typeof planProvision>[0],
  layout: BoardLayout = {},
  options: ProvisionOptions = {},
): Promise<FlashPlan> {
  const hints = boardHints(release, options.table);
  return planProvision(release, await readBoard({ ...layout, hints }), options);
}

const write = (made: FlashPlan, role: FlashRole): FlashWrite | undefined =>
  made.writes.find((w) => w.role === role && !w.transient);
const codes = (made: FlashPlan): string[] => made.objections.map(({ code }) => code);
const warnings = (made: FlashPlan): string[] => made.warnings.map(({ code }) => code);
const lone = (): ReturnType<typeof recogniseRelease> => recogniseRelease([{ path: 'app.bin', bytes: APP }]);

describe('a new board', () => {
  test('gets boot loader, table, otadata, app to ota_0 and data to ota_1 from an ESP-IDF build', async () => {
    const made = await plan(sample('idf-build'), {}, { data: DATA });
    expect(codes(made)).toEqual([]);
    expect(made.writes.map(({ role, offset }) => [role, offset])).toEqual([
      ['partition-table', 0x8000],
      ['otadata', 0xd000],
      ['bootloader', 0x1000],
      ['app', 0x10_0000],
      ['data', 0x20_0000],
    ]);
    expect(write(made, 'app')!.data).toEqual(APP);
    expect(write(made, 'data')!.data.subarray(32, 32 + 70_000)).toEqual(DATA.bytes);
    expect(made.kept).toEqual([]);
    expect(made.lost).toEqual([]);
  });

  test('gets a fresh NVS with the Wi-Fi credentials, and the plan does not hold the password', async () => {
    const made = await plan(sample('idf-build'), {}, { wifi: WIFI });
    const { entries } = decodeNvs(write(made, 'nvs')!.data);
    expect(entries.map(({ namespace, key }) => `${namespace}/${key}`)).toContain('nvs.net80211/sta.ssid');
    const shown = JSON.stringify({ ...made, writes: [] });
    expect(shown).not.toContain(WIFI.password);
    expect(made.wifi).toEqual({ ssid: 'workshop' });
  });

  test('selects the app slot with both sectors of otadata', async () => {
    const made = await plan(sample('arduino-build'));
    const [first, second] = decodeOtadata(write(made, 'otadata')!.data).entries;
    expect(first).toMatchObject({ sequence: 1, crcOk: true });
    expect(second).toBeUndefined();
  });

  test('is provisioned from an Arduino build by type and subtype, whatever the labels', async () => {
    const made = await plan(sample('arduino-build'), {}, { data: DATA });
    expect(codes(made)).toEqual([]);
    expect(made.roles).toMatchObject({ app: { name: 'app0' }, data: { name: 'app1' }, swapped: false });
  });

  test('is provisioned from the merged image of a manifest, for its chip', async () => {
    const made = await plan(sample('web-tools'), { chip: 'esp32s3' }, { data: DATA });
    expect(codes(made)).toEqual([]);
    expect(write(made, 'bootloader')!.offset).toBe(0);
    // The app's header names 16 MB; the boot loader's, which counts, names 4.
    expect(warnings(made)).toContain('app-header-flash-size');
  });
});

describe('the table', () => {
  const factoryOnly = [NVS_ROW, row('phy_init', [1, 1], [0xf000, 0x1000]), row('factory', [0, 0], [0x1_0000, MIB])];
  const withTable = (partitions: typeof factoryOnly) => {
    const release = sample('idf-build');
    const [build] = release.builds;
    return { ...release, builds: [{ ...build!, table: { ...build!.table!, partitions } }] };
  };

  test('of a factory-only build is replaced by a proposed one, with NVS where it is and the size of the real flash', async () => {
    const made = await plan(withTable(factoryOnly), { flashSize: 8 * MIB }, { data: DATA });
    expect(codes(made)).toEqual([]);
    expect(warnings(made)).toEqual(expect.arrayContaining(['two-slot-table-proposed', 'bootloader-size-raised']));
    const { partitions } = decodePartitionTable(write(made, 'partition-table')!.data);
    expect(partitions).toContainEqual(NVS_ROW);
    const pb = otaSlots(partitions)[1]!;
    expect(pb.offset + pb.size).toBe(8 * MIB);
    // The header says 8 MB now, with its digest made anew.
    expect(write(made, 'bootloader')!.data[3]! >> 4).toBe(3);
  });

  test('of the release is kept on request: flashed plainly, without a data slot', async () => {
    const made = await plan(withTable(factoryOnly), {}, { table: { kind: 'release' } });
    expect(codes(made)).toEqual([]);
    expect(made.roles).toMatchObject({ app: { name: 'factory' }, swapped: false });
    expect(write(made, 'otadata')).toBeUndefined();
    const withData = await plan(withTable(factoryOnly), {}, { table: { kind: 'release' }, data: DATA });
    expect(codes(withData)).toEqual(['no-data-slot']);
  });

  test('may come from a CSV, whose errors name file and line', async () => {
    const csv = (body: string): ProvisionOptions['table'] => ({
      kind: 'csv',
      name: 'mine.csv',
      bytes: new TextEncoder().encode(body),
    });
    const good = 'nvs,data,nvs,0x9000,16K\notadata,data,ota,,8K\na,app,ota_0,0x20000,1M\nb,app,ota_1,,2M\n';
    const made = await plan(sample('idf-build'), {}, { table: csv(good), data: DATA });
    expect(codes(made)).toEqual([]);
    expect(made.roles).toMatchObject({ app: { name: 'a', offset: 0x2_0000 }, data: { name: 'b', offset: 0x12_0000 } });
    await expect(plan(sample('idf-build'), {}, { table: csv('nvs,data,nvs,0x9000\n') })).rejects.toMatchObject({
      place: { file: 'mine.csv', line: 1 },
    });
  });

  test('goes where the release has it, not to 0x8000', async () => {
    const release = sample('idf-build');
    const [build] = release.builds;
    const moved = { ...release, builds: [{ ...build!, table: { ...build!.table!, offset: 0x7000 } }] };
    expect(write(await plan(moved), 'partition-table')!.offset).toBe(0x7000);
  });

  test('of the board is found where it is when only an app is given', async () => {
    const partitions = TWO_SLOTS.map((part) =>
      part.offset < 0x1_0000 ? { ...part, offset: part.offset + 0x8000 } : part,
    );
    const layout = { tableOffset: 0x1_0000, partitions, contents: { 0x1000: fixture('app/esp32-bootloader.bin') } };
    const made = await plan(lone(), layout);
    expect(codes(made)).toEqual([]);
    expect(made.writes.map(({ role, offset }) => [role, offset])).toEqual([
      ['otadata', 0x1_5000],
      ['app', 0x10_0000],
    ]);
  });

  test('beyond the real flash is refused', async () => {
    expect(codes(await plan(sample('idf-build'), { flashSize: 2 * MIB }))).toContain('table-beyond-flash');
  });
});

describe('a swapped board', () => {
  test('stays swapped: app to ota_1, data to ota_0, and otadata selects slot 1', async () => {
    const made = await plan(sample('idf-build'), swappedBoard(), { data: DATA });
    expect(codes(made)).toEqual([]);
    expect([write(made, 'app')!.offset, write(made, 'data')!.offset]).toEqual([0x20_0000, 0x10_0000]);
    expect(warnings(made)).toContain('orientation-swapped');
    const [first] = decodeOtadata(write(made, 'otadata')!.data).entries;
    expect(first).toMatchObject({ sequence: 2 });
  });

  test('keeps its data when only the app is new', async () => {
    const made = await plan(sample('idf-build'), swappedBoard());
    expect(write(made, 'data')).toBeUndefined();
    expect(made.kept.find(({ label }) => label === 'ota_0')).toMatchObject({
      content: 'data',
      values: { tag: 'old data 1' },
    });
  });

  test('is not put back without its data: only the user has them', async () => {
    const made = await plan(sample('idf-build'), swappedBoard(), { orientation: 'normal' });
    expect(codes(made)).toEqual(['data-would-be-lost']);
  });

  test('is put back on request, and the plan names the data that this overwrites', async () => {
    const made = await plan(sample('idf-build'), swappedBoard(), { orientation: 'normal', data: DATA });
    expect(write(made, 'app')!.offset).toBe(0x10_0000);
    expect(warnings(made)).toContain('orientation-normalised');
    expect(made.lost).toContainEqual(expect.objectContaining({ label: 'ota_0', content: 'data', why: 'replaced' }));
  });
});

describe('a factory row', () => {
  const partitions = [
    NVS_ROW,
    row('otadata', [1, 0], [0xd000, 0x2000]),
    row('factory', [0, 0], [0x1_0000, MIB]),
    row('ota_0', [0, 0x10], [0x11_0000, MIB]),
    row('ota_1', [0, 0x11], [0x21_0000, MIB]),
  ];

  test('keeps what it holds; the app goes to ota_0, which otadata selects', async () => {
    const release = sample('idf-build');
    const [build] = release.builds;
    const withFactory = { ...release, builds: [{ ...build!, table: { ...build!.table!, partitions } }] };
    const made = await plan(withFactory, { partitions, contents: { 0x1_0000: APP } }, { data: DATA });
    expect(codes(made)).toEqual([]);
    expect(write(made, 'app')!.offset).toBe(0x11_0000);
    expect(decodeOtadata(write(made, 'otadata')!.data).entries[0]).toMatchObject({ sequence: 1 });
    expect(made.warnings.find(({ code }) => code === 'factory-kept')?.values).toMatchObject({
      size: MIB,
      content: 'app',
    });
    expect(made.kept).toContainEqual(expect.objectContaining({ label: 'factory', why: 'untouched' }));
  });
});

describe('settings', () => {
  const board = (extra: BoardLayout = {}): BoardLayout => ({
    partitions: TWO_SLOTS,
    settings: SETTINGS,
    boots: 0,
    ...extra,
  });

  test('are not touched when nothing is added and NVS stays where it is', async () => {
    const made = await plan(sample('idf-build'), board());
    expect(write(made, 'nvs')).toBeUndefined();
    expect(made.kept).toContainEqual(expect.objectContaining({ label: 'nvs', content: 'settings', why: 'untouched' }));
  });

  test('are looked after with all that the plan does not touch', async () => {
    const filled = { 0xf000: payload(64, 'phy'), 0x20_0000: dataImage('esp32', payload(5000)) };
    const { untouched } = await plan(sample('idf-build'), board({ contents: filled }));
    expect(untouched).toEqual([
      { label: 'nvs', offset: NVS_ROW.offset, length: NVS_ROW.size },
      { label: 'phy_init', offset: 0xf000, length: 0x1000 },
      { label: 'ota_1', offset: 0x20_0000, length: 0x10_0000 },
    ]);
    const { untouched: ofEmpty } = await plan(sample('idf-build'), board());
    expect(ofEmpty.map(({ label, blank }) => ({ label, blank }))).toEqual([
      { label: 'nvs', blank: undefined },
      { label: 'phy_init', blank: true },
      { label: 'ota_1', blank: true },
    ]);
  });

  test('are merged with the Wi-Fi credentials', async () => {
    const made = await plan(sample('idf-build'), board(), { wifi: WIFI });
    const { entries } = decodeNvs(write(made, 'nvs')!.data);
    for (const entry of SETTINGS) expect(entries).toContainEqual(entry);
    expect(entries.length).toBeGreaterThan(SETTINGS.length);
    expect(made.kept).toContainEqual(expect.objectContaining({ label: 'nvs', why: 'carried-over' }));
  });

  test('move with the table, behind a copy that survives an interruption', async () => {
    const csv = 'otadata,data,ota,0x9000,8K\nnvs,data,nvs,0x20000,32K\na,app,ota_0,0x30000,1M\nb,app,ota_1,,1M\n';
    const made = await plan(sample('idf-build'), board(), {
      table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
    });
    expect(codes(made)).toEqual([]);
    const [copy, table, nvs] = made.writes;
    expect([copy, table, nvs].map((w) => [w!.role, w!.offset])).toEqual([
      ['nvs', 0x3_0000],
      ['partition-table', 0x8000],
      ['nvs', 0x2_0000],
    ]);
    expect(copy!.transient).toBe(true);
    expect(decodeNvs(nvs!.data).entries).toEqual(SETTINGS);
  });

  test('that are encrypted are never replaced silently', async () => {
    const contents = { 0x9000: fixture('nvs/enc-multipage.bin').slice(0, 0x4000) };
    const made = await plan(sample('idf-build'), board({ settings: [], contents }), { wifi: WIFI });
    expect(codes(made)).toEqual(['nvs-encrypted']);
    expect(codes(await plan(sample('idf-build'), board({ settings: [], contents })))).toEqual([]);
  });

  test('that cannot be read are never replaced silently', async () => {
    const contents = { 0x9000: new Uint8Array(0x4000).fill(0x5a) };
    const made = await plan(sample('idf-build'), board({ settings: [], contents }), { wifi: WIFI });
    expect(codes(made)).toEqual(['nvs-unreadable']);
  });

  test('are not rewritten when nothing would change', async () => {
    const first = await plan(sample('idf-build'), board(), { wifi: WIFI });
    const settings = decodeNvs(write(first, 'nvs')!.data).entries;
    const again = await plan(sample('idf-build'), board({ settings }), { wifi: WIFI });
    expect(again.writes.filter(({ role }) => role === 'nvs')).toEqual([]);
    expect(again.kept.find(({ content }) => content === 'settings')?.why).toBe('untouched');
  });

  test('are found where the release has them when the board’s table is gone', async () => {
    const torn = board({ contents: { 0x8000: new Uint8Array(0xc00).fill(0xff) } });
    const made = await plan(sample('idf-build'), torn, { wifi: WIFI });
    expect(codes(made)).toEqual([]);
    const { entries } = decodeNvs(write(made, 'nvs')!.data);
    for (const entry of SETTINGS) expect(entries).toContainEqual(entry);
  });

  test('of a second NVS partition go to the one of the same name, and Wi-Fi goes to "nvs"', async () => {
    const factoryData = row('fctry', [1, 2], [0x1_0000, 0x4000]);
    const nvs = row('nvs', [1, 2], [0x1_4000, 0x4000]);
    const partitions = [factoryData, nvs, ...TWO_SLOTS.slice(1)];
    const contents = {
      0x1_0000: encodeNvs([text('cal', 'gain', '7')], 0x4000),
      0x1_4000: encodeNvs(SETTINGS, 0x4000),
    };
    const csv =
      'nvs,data,nvs,0x9000,16K\notadata,data,ota,,8K\nfctry,data,nvs,0x20000,16K\na,app,ota_0,0x30000,1M\nb,app,ota_1,,1M\n';
    const made = await plan(
      sample('idf-build'),
      { partitions, contents, boots: 0 },
      {
        wifi: WIFI,
        table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
      },
    );
    expect(codes(made)).toEqual([]);
    const at = (offset: number) => decodeNvs(made.writes.find((w) => w.offset === offset)!.data).entries;
    expect(at(0x2_0000)).toEqual([text('cal', 'gain', '7')]);
    for (const entry of SETTINGS) expect(at(0x9000)).toContainEqual(entry);
    expect(at(0x9000).length).toBeGreaterThan(SETTINGS.length);
  });

  test('without a place in the new table are refused, not lost', async () => {
    const csv = 'otadata,data,ota,0x9000,8K\na,app,ota_0,0x30000,1M\nb,app,ota_1,,1M\n';
    const made = await plan(sample('idf-build'), board(), {
      table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
    });
    expect(codes(made)).toEqual(['nvs-would-be-lost']);
  });

  test('that are encrypted are not separated from their keys', async () => {
    const keys = row('nvs_key', [1, 4], [0x1_0000, 0x1000]);
    const contents = {
      0x9000: fixture('nvs/enc-multipage.bin').slice(0, 0x4000),
      0x1_0000: new Uint8Array(64).fill(1),
    };
    const layout = { partitions: [...TWO_SLOTS, keys], contents, boots: 0 };
    expect(codes(await plan(sample('idf-build'), layout))).toEqual(['nvs-encrypted']);
    const proposed = await plan(sample('idf-build'), layout, { table: { kind: 'two-slot' } });
    expect(codes(proposed)).toEqual([]);
    expect(proposed.table?.partitions).toContainEqual(keys);
  });

  test('to come where other bytes lie are begun blank', async () => {
    const made = await plan(sample('idf-build'), { contents: { 0x9000: new Uint8Array(0x4000).fill(0x11) } });
    expect(write(made, 'nvs')!.data.every((byte) => byte === 0xff)).toBe(true);
  });

  test('that do not fit their new place are refused', async () => {
    const many = Array.from({ length: 300 }, (_, index) => text('app', `key${index}`, 'x'.repeat(20)));
    const csv = 'nvs,data,nvs,0x9000,12K\notadata,data,ota,,8K\na,app,ota_0,0x30000,1M\nb,app,ota_1,,1M\n';
    const big = [{ ...NVS_ROW, offset: 0x2_0000, size: 0x1_0000 }, ...TWO_SLOTS.slice(1)];
    const made = await plan(sample('idf-build'), board({ partitions: big, settings: many }), {
      table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
    });
    expect(codes(made)).toEqual(['nvs-no-room']);
  });

  test('of the user’s own namespace are written under their keys', async () => {
    const store = { kind: 'namespace', namespace: 'cfg', ssidKey: 'net', passwordKey: 'pw' } as const;
    const made = await plan(sample('idf-build'), {}, { wifi: { ...WIFI, store } });
    expect(decodeNvs(write(made, 'nvs')!.data).entries).toEqual([
      nvsString('cfg', 'net', 'workshop'),
      nvsString('cfg', 'pw', 'correct horse'),
    ]);
  });

  test('without an NVS partition have no place', async () => {
    const csv = 'otadata,data,ota,0x9000,8K\na,app,ota_0,0x30000,1M\nb,app,ota_1,,1M\n';
    const made = await plan(
      sample('idf-build'),
      {},
      {
        wifi: WIFI,
        table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
      },
    );
    expect(codes(made)).toEqual(['no-nvs-partition']);
  });

  test('with a password that Wi-Fi does not allow are refused', async () => {
    const made = await plan(sample('idf-build'), {}, { wifi: { ...WIFI, password: 'short' } });
    expect(codes(made)).toEqual(['wifi-refused']);
    expect(JSON.stringify(made.objections)).not.toContain('short');
  });
});

describe('objections', () => {
  test.each([
    ['a release for another chip', { chip: 'esp32c3' }, 'wrong-chip'],
    ['secure boot', { security: { secureBoot: 'v2' } }, 'secure-boot'],
    ['flash encryption', { security: { flashEncryption: 'development' } }, 'flash-encryption'],
    ['secure download mode', { security: { secureDownload: true } }, 'secure-download-mode'],
  ] as [string, BoardLayout, string][])('%s is refused', async (_, layout, code) => {
    expect(codes(await plan(sample('idf-build'), layout))).toContain(code);
  });

  const withApp = (bytes: Uint8Array) => {
    const release = sample('idf-build');
    const [build] = release.builds;
    return { ...release, builds: [{ ...build!, app: { ...build!.app, data: bytes } }] };
  };

  test.each([
    ['a damaged checksum', 'bad-checksum-sha-ok.bin', 'image-damaged'],
    ['a wrong digest', 'bad-sha.bin', 'image-damaged'],
    ['an image for another chip', 'esp32s3-small.bin', 'image-wrong-chip'],
    ['17 segments', 'bad-segcount-17.bin', 'image-damaged'],
  ])('an app with %s is refused', async (_, file, code) => {
    expect(codes(await plan(withApp(fixture(`app/${file}`))))).toEqual([code]);
  });

  test('an app for a newer chip revision is refused, and fine on that revision', async () => {
    const release = withApp(fixture('app/esp32-rev.bin'));
    const old = await plan(release, { revision: { major: 1, minor: 0 } });
    expect(codes(old)).toEqual(['chip-revision']);
    expect(codes(await plan(release, { revision: { major: 3, minor: 1 } }))).toEqual([]);
  });

  test('an app that is too large for its slot is refused', async () => {
    const csv = 'nvs,data,nvs,0x9000,16K\notadata,data,ota,,8K\na,app,ota_0,0x20000,4K\nb,app,ota_1,0x30000,1M\n';
    const grown = new Uint8Array(8192).fill(0xff);
    grown.set(APP);
    const made = await plan(
      withApp(grown),
      {},
      { table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) } },
    );
    expect(codes(made)).toEqual(['too-large']);
  });

  test('data that are too large for their slot are refused, one sector before the end', async () => {
    const fits = await plan(sample('idf-build'), {}, { data: { name: 'd', bytes: payload(MIB - 0x1000 - 32) } });
    expect(codes(fits)).toEqual([]);
    const over = await plan(sample('idf-build'), {}, { data: { name: 'd', bytes: payload(MIB - 0x1000 - 31) } });
    expect(codes(over)).toEqual(['too-large']);
  });

  test('app and data that do not fit both slots get a warning', async () => {
    const csv = 'nvs,data,nvs,0x9000,16K\notadata,data,ota,,8K\na,app,ota_0,0x20000,64K\nb,app,ota_1,0x30000,1M\n';
    const made = await plan(
      sample('idf-build'),
      {},
      {
        data: DATA,
        table: { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) },
      },
    );
    expect(codes(made)).toEqual([]);
    expect(warnings(made)).toContain('next-update-would-not-fit');
  });

  test('a boot loader header that asks for more flash than there is is refused, and mended on request', async () => {
    const csv = 'nvs,data,nvs,0x9000,16K\notadata,data,ota,,8K\na,app,ota_0,0x20000,512K\nb,app,ota_1,,512K\n';
    const table = { kind: 'csv', name: 'm.csv', bytes: new TextEncoder().encode(csv) } as const;
    const layout = { flashSize: 2 * MIB };
    expect(codes(await plan(sample('idf-build'), layout, { table }))).toEqual(['header-flash-size']);
    const mended = await plan(sample('idf-build'), layout, { table, header: { size: 'detect' } });
    expect(codes(mended)).toEqual([]);
    expect(write(mended, 'bootloader')!.data[3]! >> 4).toBe(1);
  });

  test('a boot loader header that names less flash than there is is no objection, and mode and frequency are kept', async () => {
    const made = await plan(sample('idf-build'), { flashSize: 16 * MIB });
    expect(codes(made)).toEqual([]);
    expect(write(made, 'bootloader')!.data).toEqual(fixture('release/idf-build/bootloader/bootloader.bin'));
  });

  test('a lone app on a board with factory and ota_0 goes to the slot that runs, never over factory', async () => {
    const partitions = [
      ...TWO_SLOTS.slice(0, 3),
      row('factory', [0, 0], [0x1_0000, MIB / 2]),
      row('ota_0', [0, 0x10], [0x10_0000, MIB]),
    ];
    const contents = { 0x1000: fixture('app/esp32-bootloader.bin'), 0x1_0000: APP, 0x10_0000: APP };
    const made = await plan(lone(), { partitions, contents, boots: 0 });
    expect(codes(made)).toEqual([]);
    expect(write(made, 'app')!.offset).toBe(0x10_0000);
  });

  test('a board whose own table overlaps is refused', async () => {
    const partitions = [
      ...TWO_SLOTS.slice(0, 3),
      row('ota_0', [0, 0x10], [0, MIB]),
      row('ota_1', [0, 0x11], [MIB, MIB]),
    ];
    const made = await plan(lone(), { partitions, contents: { 0x1000: fixture('app/esp32-bootloader.bin') } });
    expect(codes(made)).toContain('table-invalid');
  });

  test('a table at another offset than the boot loader that stays looks for it is refused', async () => {
    const release = sample('idf-build');
    const { chip, app, extra, notes, table } = release.builds[0]!;
    const noLoader = { ...release, builds: [{ chip, app, extra, notes, table: { ...table!, offset: 0x7000 } }] };
    const layout = { partitions: TWO_SLOTS, contents: { 0x1000: fixture('app/esp32-bootloader.bin') } };
    expect(codes(await plan(noLoader, layout))).toContain('table-offset-differs');
  });

  test('a lone app without a table on the board is refused', async () => {
    expect(codes(await plan(lone()))).toEqual(['no-table']);
  });
});

test('two runs of a plan give the same plan', async () => {
  const made = [await plan(sample('idf-build'), swappedBoard(), { data: DATA, wifi: WIFI })];
  made.push(await plan(sample('idf-build'), swappedBoard(), { data: DATA, wifi: WIFI }));
  expect(made[0]).toEqual(made[1]);
});

test('every write of a plan lies inside the flash and on sector borders, and nothing else would be erased', async () => {
  const made = await plan(sample('web-tools'), { chip: 'esp32s3', flashSize: 8 * MIB }, { data: DATA, wifi: WIFI });
  for (const { offset, data } of made.writes) {
    expect(offset % 0x1000).toBe(0);
    expect(offset + data.length).toBeLessThanOrEqual(8 * MIB);
    expect(isBlank(data)).toBe(false);
  }
  expect(dataImage('esp32s3', DATA.bytes).subarray(0, 32)).toEqual(write(made, 'data')!.data.subarray(0, 32));
});

describe('what a release file says', () => {
  const release = (options: Parameters<typeof prepareRelease>[1] = {}): Release => {
    const archive = encodeReleaseFile(prepareRelease(sample('idf-build'), options));
    return recogniseRelease([{ path: 'release.zip', bytes: archive }]);
  };
  const own = { name: 'own.bin', bytes: payload(6000, 'in release'), layout: 'raw' } as const;
  const { ssid, password } = WIFI;
  const namespaces = (made: FlashPlan): string[] =>
    decodeNvs(write(made, 'nvs')!.data).entries.map(({ namespace }) => namespace);

  test('its data go into the second slot, and those of the user in their place', async () => {
    const made = await plan(release({ data: own }));
    expect(codes(made)).toEqual([]);
    expect(write(made, 'data')).toMatchObject({ offset: 0x20_0000 });
    expect(write(made, 'data')!.data).toEqual(dataImage('esp32', own.bytes));
    const wished = await plan(release({ data: own }), {}, { data: DATA });
    expect(wished.writes.filter(({ role }) => role === 'data')).toHaveLength(1);
    expect(write(wished, 'data')!.data).toEqual(dataImage('esp32', DATA.bytes));
  });

  test('data of the user have no header where the firmware wants none, packed or not', async () => {
    const bare = release({ dataHeader: 'none' });
    expect(write(await plan(bare, {}, { data: DATA }), 'data')!.data).toEqual(DATA.bytes);
    const packed = { name: 'packed.bin', bytes: dataImage('esp32', DATA.bytes) };
    expect(write(await plan(bare, {}, { data: packed }), 'data')!.data).toEqual(DATA.bytes);
    expect(codes(await plan(bare, {}, { data: { name: 'app.bin', bytes: APP } }))).toEqual(['data-refused']);
  });

  test('its Wi-Fi store is that of credentials without one', async () => {
    const keyed = release({ wifiStore: { kind: 'namespace', namespace: 'cfg', ssidKey: 'net', passwordKey: 'pw' } });
    expect(namespaces(await plan(keyed, {}, { wifi: { ssid, password } }))).toEqual(['cfg', 'cfg']);
    expect(namespaces(await plan(keyed, {}, { wifi: WIFI }))).toContain('nvs.net80211');
    expect(namespaces(await plan(release(), {}, { wifi: { ssid, password } }))).toContain('nvs.net80211');
  });

  test('credentials for a firmware that reads none are not stored, and that is said', async () => {
    const made = await plan(release({ wifiStore: { kind: 'none' } }), {}, { wifi: { ssid, password } });
    expect(write(made, 'nvs')).toBeUndefined();
    expect(made.wifi).toBeUndefined();
    expect(warnings(made)).toContain('wifi-ignored-by-firmware');
  });

  test('its boot check is what proves that the board is up', async () => {
    const checked = sample('idf-build');
    checked.builds[0]!.bootCheck = { line: 'ready', timeoutSeconds: 12 };
    const archive = encodeReleaseFile(prepareRelease(checked, {}));
    const made = await plan(recogniseRelease([{ path: 'release.zip', bytes: archive }]));
    expect(made.bootCheck).toEqual({ line: 'ready', timeoutSeconds: 12 });
  });
});
