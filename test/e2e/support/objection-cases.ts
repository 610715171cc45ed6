/** For each objection of a plan: what a user does, and what lies on the board, so that it is raised. */
import { concatBytes, writeU16 } from '#formats/bytes.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { type ObjectionCode } from '#workflows/plan-notices.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { type Page } from 'playwright-core';
import { appImage, bootloaderImage, makeReleaseFiles } from '../../support/releases.ts';
import { fixture, MIB, NVS_ROW, payload, row, swappedBoard, text, TWO_SLOTS } from '../../workflows/boards.ts';
import { connected, placeBoard, type PlacedBoard, takeFiles } from './provision-page.ts';

/** Cards of the screen, by title. */
export type CardTitle = 'Release' | 'Wi-Fi and settings' | 'Board' | 'Plan';

export interface ObjectionCase {
  card: CardTitle;
  /** An ESP-IDF build that nobody objects to, unless told. */
  release?: ReleaseFile[];
  data?: Uint8Array;
  csv?: string;
  /** The network is given, with this password. */
  password?: string;
  /** A field under "More", and what is chosen there. */
  more?: readonly [field: string, choice: string];
  board?: PlacedBoard;
  /** What cannot be had without. */
  also?: readonly ObjectionCode[];
}

/** Why no user of the page meets an objection. */
export interface Unreachable {
  never: string;
}

const PASSWORD = 'correct horse';
/** What nobody objects to on an ESP32 as from the shop. */
const USUAL_BUILD = makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS });
const APP = appImage({ chip: 'esp32' });
const LONE_APP: ReleaseFile[] = [{ path: 'app.bin', bytes: APP }];
const BOOT_LOADER = bootloaderImage('esp32');
const NO_OTADATA = TWO_SLOTS.filter(({ name }) => name !== 'otadata');
const SETTINGS = [text('app', 'name', 'kitchen'), text('app', 'token', 'abc')];

const buildWith = (partitions: Partition[]): ReleaseFile[] =>
  makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions });

const buildWithApp = (app: Uint8Array): ReleaseFile[] =>
  USUAL_BUILD.map((file) => (file.bytes.length === APP.length ? { ...file, bytes: app } : file));

/** A board with that table, and further bytes. */
const tableAnd = (
  contents: Readonly<Record<number, Uint8Array>>,
  partitions = TWO_SLOTS,
): Readonly<Record<number, Uint8Array>> => ({ 0x8000: encodePartitionTable(partitions), ...contents });

const withSettings = (bytes: Uint8Array): Readonly<Record<number, Uint8Array>> => tableAnd({ 0x9000: bytes });

/** The app, for chips of revision 99 and newer. */
function forNewerChip(): Uint8Array {
  const body = APP.slice(0, -32);
  writeU16(body, 15, 9900);
  return concatBytes(body, sha256(body));
}

/** One byte of the app has changed on its way. */
function damagedApp(): Uint8Array {
  const bytes = APP.slice();
  bytes[0x400] = (bytes[0x400] ?? 0) ^ 1;
  return bytes;
}

const csv = (...rows: string[]): string => `${rows.join('\n')}\n`;
const TWO_APPS = ['a,app,ota_0,0x20000,512K', 'b,app,ota_1,,512K'];

export const OBJECTION_CASES: Readonly<Record<ObjectionCode, ObjectionCase | Unreachable>> = {
  'wrong-chip': { card: 'Release', board: { chip: 'esp32c3' } },
  'image-wrong-chip': { never: 'a release with images for several chips is refused when it is read' },
  'chip-revision': { card: 'Release', release: buildWithApp(forNewerChip()) },
  'image-damaged': { card: 'Release', release: buildWithApp(damagedApp()) },
  'secure-boot': { card: 'Board', board: { fault: 'secure-boot' } },
  'secure-boot-revokes': { never: 'no virtual board has that eFuse burnt' },
  'secure-boot-keeps': { never: 'the page takes nobody’s word for it that a release is signed' },
  'not-signed': { never: 'the page takes nobody’s word for it that a release is signed' },
  'flash-encryption': { card: 'Board', board: { fault: 'flash-encryption' } },
  'secure-download-mode': {
    card: 'Board',
    release: makeReleaseFiles({ chip: 'esp32c3', kind: 'idf', partitions: TWO_SLOTS }),
    board: { chip: 'esp32c3', fault: 'secure-download' },
  },
  'too-large': { card: 'Release', data: payload(MIB) },
  'data-refused': { card: 'Release', data: new Uint8Array() },
  'table-invalid': {
    card: 'Plan',
    release: buildWith([...TWO_SLOTS.slice(0, 4), row('ota_1', [0, 0x11], [0x20_8000, MIB])]),
  },
  'table-beyond-flash': {
    card: 'Plan',
    board: { flashSize: 2 * MIB },
    more: ['Flash header', 'Real size'],
  },
  'table-beyond-header': {
    card: 'Release',
    release: buildWith([...TWO_SLOTS.slice(0, 4), row('ota_1', [0, 0x11], [0x20_0000, 6 * MIB])]),
    board: { flashSize: 8 * MIB },
  },
  'no-table': { card: 'Plan', release: LONE_APP },
  'release-has-no-table': { card: 'Release', release: LONE_APP, more: ['Partitions', 'As in the release'] },
  'no-room-for-two-slots': { card: 'Plan', data: payload(4 * MIB - 0x2_0000), more: ['Partitions', 'Two slots'] },
  'no-app-partition': { card: 'Plan', csv: csv('nvs,data,nvs,0x9000,16K') },
  'no-data-slot': {
    card: 'Release',
    release: buildWith([...TWO_SLOTS.slice(0, 3), row('factory', [0, 0], [0x1_0000, MIB])]),
    data: payload(5000),
    more: ['Partitions', 'As in the release'],
  },
  'no-otadata': {
    card: 'Plan',
    csv: csv('nvs,data,nvs,0x9000,16K', 'f,app,factory,0x10000,64K', ...TWO_APPS),
  },
  'no-bootloader': { card: 'Release', release: LONE_APP, board: { contents: tableAnd({}) } },
  'bootloader-overlaps-table': {
    card: 'Release',
    release: [...LONE_APP, { path: 'bootloader.bin', bytes: bootloaderImage('esp32', 0x8000) }],
    board: { contents: tableAnd({}) },
  },
  overlap: {
    card: 'Plan',
    release: buildWithApp(appImage({ chip: 'esp32', appSize: 0x1_0000 })),
    data: payload(5000),
    csv: csv('nvs,data,nvs,0x9000,16K', 'otadata,data,ota,,8K', 'a,app,ota_0,0x20000,64K', 'b,app,ota_1,,512K'),
    also: ['too-large'],
  },
  'header-flash-size': {
    card: 'Release',
    csv: csv('nvs,data,nvs,0x9000,16K', 'otadata,data,ota,,8K', ...TWO_APPS),
    board: { flashSize: 2 * MIB },
  },
  'header-setting-unknown': {
    card: 'Release',
    csv: csv('nvs,data,nvs,0x9000,16K', 'otadata,data,ota,,8K', 'a,app,ota_0,0x20000,128K', 'b,app,ota_1,,128K'),
    more: ['Flash header', 'Real size'],
    board: { flashSize: MIB / 2 },
  },
  'nvs-encrypted': {
    card: 'Wi-Fi and settings',
    password: PASSWORD,
    board: { contents: withSettings(fixture('nvs/enc-multipage.bin').slice(0, 0x4000)) },
  },
  'nvs-unreadable': {
    card: 'Wi-Fi and settings',
    password: PASSWORD,
    board: { contents: withSettings(new Uint8Array(0x4000).fill(0x5a)) },
  },
  'nvs-no-room': {
    card: 'Wi-Fi and settings',
    csv: csv('nvs,data,nvs,0x9000,12K', 'otadata,data,ota,,8K', ...TWO_APPS),
    board: {
      contents: tableAnd(
        {
          0x2_0000: encodeNvs(
            Array.from({ length: 300 }, (_, index) => text('app', `key${index}`, 'x'.repeat(20))),
            0x1_0000,
          ),
        },
        [{ ...NVS_ROW, offset: 0x2_0000, size: 0x1_0000 }, ...TWO_SLOTS.slice(1)],
      ),
    },
  },
  'nvs-would-be-lost': {
    card: 'Wi-Fi and settings',
    csv: csv('otadata,data,ota,0x9000,8K', ...TWO_APPS),
    board: { contents: withSettings(encodeNvs(SETTINGS, 0x4000)) },
  },
  'nvs-move-unsafe': {
    card: 'Wi-Fi and settings',
    csv: csv('nvs,data,nvs,0x9000,16K', 'otadata,data,ota,,8K', ...TWO_APPS),
    board: {
      contents: tableAnd({ 0x2_0000: encodeNvs(SETTINGS, 0x4000) }, [
        { ...NVS_ROW, offset: 0x2_0000 },
        ...TWO_SLOTS.slice(1),
      ]),
    },
  },
  'data-would-be-lost': {
    card: 'Release',
    more: ['Orientation', 'App in PA, data in PB'],
    board: { contents: tableAnd(swappedBoard().contents ?? {}) },
  },
  'table-offset-differs': {
    card: 'Plan',
    release: [
      ...LONE_APP,
      {
        path: 'partitions.bin',
        bytes: encodePartitionTable([
          { ...NVS_ROW, offset: 0x8000 },
          ...NO_OTADATA.slice(2),
          row('otadata', [1, 0], [0xd000, 0x2000]),
        ]),
      },
    ],
    board: { contents: tableAnd({ 0x1000: BOOT_LOADER }) },
  },
  'no-nvs-partition': {
    card: 'Wi-Fi and settings',
    password: PASSWORD,
    csv: csv('otadata,data,ota,0x9000,8K', ...TWO_APPS),
  },
  'wifi-refused': { never: 'the fields of network and password say it in place of the plan' },
};

/** Does all that raises the objection; the board is connected then. */
export async function provoke(
  page: Page,
  { release = USUAL_BUILD, data, csv, password, more, board }: ObjectionCase,
): Promise<void> {
  await takeFiles(page, release);
  if (data) await takeFiles(page, [{ path: 'voices.bin', bytes: data }], 'data');
  if (csv !== undefined) await takeFiles(page, [{ path: 'mine.csv', bytes: new TextEncoder().encode(csv) }], 'csv');
  if (more) {
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel(more[0], { exact: true }).selectOption(more[1]);
  }
  if (password !== undefined) {
    await page.getByLabel('Network', { exact: true }).fill('workshop');
    await page.getByLabel('Password', { exact: true }).fill(password);
  }
  await placeBoard(page, board ?? {});
  await page.getByRole('button', { name: 'Use the virtual board' }).click();
  await connected(page);
}
