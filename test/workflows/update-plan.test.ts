import { describe, expect, test } from 'vitest';
import { shownOf } from '#formats/data/shown-data.ts';
import { CHIPS } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { type Release } from '#formats/release/release.ts';
import { type BoardPage } from '#device/board-page.ts';
import { erasesOneTooMany, type KnownBoard, planUpdate, type UpdateWish } from '#workflows/update-plan.ts';
import { makeRelease } from '../support/releases.ts';

const SLOT = 0x10_0000;
const chip = CHIPS.find(({ name }) => name === 'esp32s3')!;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const partitions = [
  { name: 'nvs', type: 1, subtype: 2, offset: 0x9000, size: 0x4000, flags: 0 },
  { name: 'otadata', type: 1, subtype: 0, offset: 0xd000, size: 0x2000, flags: 0 },
  { name: 'ota_0', type: 0, subtype: 0x10, offset: 0x1_0000, size: SLOT, flags: 0 },
  { name: 'ota_1', type: 0, subtype: 0x11, offset: 0x11_0000, size: SLOT, flags: 0 },
].map((row) => ({ ...row, encrypted: false, readonly: false }));

const release = (shape: { appSize?: number; version?: string; project?: string } = {}): Release =>
  makeRelease({ chip: 'esp32s3', kind: 'idf', partitions, project: 'voice-box', version: '2.4.0', ...shape });

const OLD = packDataImage(text('old voices'), { chip });
const SEEN: BoardPage = { running: 'PA', project: 'voice-box', version: '2.3.1', shown: shownOf(OLD) };
const KNOWN: KnownBoard = {
  mac: '7c:df:a1:00:11:3f',
  chip,
  slotSizes: { PA: SLOT, PB: SLOT },
  firmwareProfile: SEED_FIRMWARE,
  idfVersion: 'v5.1.4',
};

const wish = (changes: Partial<UpdateWish> = {}): UpdateWish => ({
  release: release(),
  data: { name: 'voices.bin', bytes: text('new voices, more of them') },
  address: '192.168.1.57',
  page: SEEN,
  known: KNOWN,
  oldData: { name: 'voice-box 2.3.1', image: OLD },
  urlLength: 40,
  ...changes,
});

const codes = (changes: Partial<UpdateWish>): Record<'objections' | 'warnings' | 'consents', string[]> => {
  const { objections, warnings, consents } = planUpdate(wish(changes));
  const of = (list: { code: string }[]): string[] => list.map(({ code }) => code);
  return { objections: of(objections), warnings: of(warnings), consents: of(consents) };
};

test('a board that is known, and a release that fits, need nothing to be agreed to', () => {
  const plan = planUpdate(wish());
  expect([plan.objections, plan.warnings, plan.consents]).toEqual([[], [], []]);
  expect(plan.facts).toMatchObject({
    steps: ['app', 'data'],
    from: 'PA',
    shown: { before: SEEN.shown, restore: SEEN.shown, data: '6e657720766f69636573'.slice(0, 20) },
    trialMs: 0,
  });
  expect(plan.facts?.sizes).toEqual({
    app: plan.files.app?.image.length,
    data: plan.files.data?.image.length,
    restore: OLD.length,
  });
});

describe('what stands against an update', () => {
  const s3 = { ...KNOWN };
  const { chip: _chip, ...chipless } = s3;
  void _chip;
  const esp32 = CHIPS.find(({ name }) => name === 'esp32')!;
  const two = (): Release => ({
    ...release(),
    builds: [...release().builds, ...makeRelease({ chip: 'esp32', kind: 'idf', partitions }).builds],
  });
  const damaged = (): Release => {
    const copy = release();
    copy.builds[0]!.app.data[0x800]! ^= 1;
    return copy;
  };
  const bootable = (): Uint8Array => {
    const image = packDataImage(text('x'), { chip });
    image[31] = 0xef;
    return image;
  };
  const withData = (image: Uint8Array): Release => {
    const copy = release();
    copy.builds[0]!.data = { name: 'voices', data: image, layout: { kind: 'single' } } as never;
    return copy;
  };

  test.each<{ name: string; changes: () => Partial<UpdateWish>; code: string }>([
    { name: 'nothing answers', changes: () => ({ page: 'silent' }), code: 'board-silent' },
    { name: 'something else answers', changes: () => ({ page: 'unknown' }), code: 'board-page-unknown' },
    { name: 'no running slot', changes: () => ({ page: { project: 'x' } }), code: 'running-slot-unknown' },
    { name: 'another chip', changes: () => ({ known: { ...KNOWN, chip: esp32 } }), code: 'wrong-chip' },
    { name: 'which chip?', changes: () => ({ known: chipless, release: two() }), code: 'chip-unknown' },
    { name: 'a damaged app', changes: () => ({ release: damaged() }), code: 'image-damaged' },
    {
      name: 'an app larger than its slot',
      changes: () => ({ known: { ...KNOWN, slotSizes: { PA: SLOT, PB: 0x2000 } } }),
      code: 'too-large',
    },
    {
      name: 'data larger than their slot',
      changes: () => ({ data: { name: 'voices.bin', bytes: new Uint8Array(SLOT) } }),
      code: 'too-large',
    },
    {
      name: 'no data for a step of data',
      changes: () => ({ only: 'data', data: undefined }),
      code: 'no-data',
    },
    { name: 'empty data', changes: () => ({ data: { name: 'x', bytes: new Uint8Array() } }), code: 'data-refused' },
    {
      name: 'data that could boot',
      changes: () => ({ data: undefined, release: withData(bootable()) }),
      code: 'data-could-boot',
    },
    {
      name: 'data without the header',
      changes: () => ({ data: undefined, release: withData(text('x'.repeat(2000))) }),
      code: 'data-wrong-form',
    },
    { name: 'a URL that is too long', changes: () => ({ urlLength: 256 }), code: 'url-too-long' },
    { name: 'a run already', changes: () => ({ inProgress: true }), code: 'update-in-progress' },
    {
      name: 'firmware without a page',
      changes: () => ({ release: { ...release(), firmwareProfile: { ...SEED_FIRMWARE, indexPage: 'none' } } }),
      code: 'no-index-page',
    },
  ])('$name: $code', ({ changes, code }) => {
    const plan = planUpdate(wish(changes()));
    expect(plan.objections.map((notice) => notice.code)).toContain(code);
    expect(plan.facts).toBeUndefined();
  });

  test('an app that fills its slot to the last byte, for the versions that cannot write it', () => {
    const size = release().builds[0]!.app.data.length;
    const known = { ...KNOWN, slotSizes: { PA: SLOT, PB: size } };
    expect(codes({ known: { ...known, idfVersion: 'v5.1.2' } }).objections).toContain('app-fills-slot');
    expect(codes({ known: { ...known, idfVersion: 'v5.1.3' } }).objections).toEqual([]);
  });
});

describe('what has to be agreed to', () => {
  test('old data that are not at hand, or are not those on the board', () => {
    expect(codes({ oldData: undefined }).consents).toEqual(['no-way-back']);
    const other = packDataImage(text('others'), { chip });
    const plan = planUpdate(wish({ oldData: { name: 'other', image: other } }));
    expect(plan.consents.map(({ code }) => code)).toEqual(['no-way-back']);
    expect(plan.files.restore).toBeUndefined();
  });

  test('old data are at stake where data go alone as well', () => {
    expect(codes({ only: 'data', oldData: undefined }).consents).toEqual(['no-way-back']);
    const plan = planUpdate(wish({ only: 'data' }));
    expect(plan.consents).toEqual([]);
    expect(plan.facts).toMatchObject({ steps: ['data'], sizes: { restore: OLD.length } });
  });

  test('nothing is lost where the data slot is blank', () => {
    expect(codes({ oldData: undefined, page: { ...SEEN, shown: 'ff'.repeat(10) } }).consents).toEqual([]);
  });

  test('another product', () => {
    expect(codes({ page: { ...SEEN, project: 'lamp' } }).consents).toEqual(['other-project']);
  });
});

test('what a board from nowhere is assumed to be is said', () => {
  expect(codes({ known: {} }).warnings).toEqual(['slot-sizes-assumed', 'running-firmware-unknown']);
});

test('the version that runs already, no data, and data that look like the old ones are said', () => {
  expect(codes({ page: { ...SEEN, version: '2.4.0' } }).warnings).toEqual(['same-version']);
  expect(codes({ data: undefined }).warnings).toEqual(['no-data-in-release']);
  expect(codes({ data: { name: 'v', bytes: text('old voices, sung anew') } }).warnings).toEqual(['data-look-alike']);
});

test.each([
  { version: 'v4.4.6', broken: true },
  { version: 'v4.4.7', broken: false },
  { version: 'v4.3', broken: false },
  { version: 'v5.0.5', broken: true },
  { version: 'v5.0.6', broken: false },
  { version: 'v5.1', broken: true },
  { version: '5.1.2-dirty', broken: true },
  { version: 'v5.2.1', broken: false },
  { version: undefined, broken: true },
])('ESP-IDF $version erases one sector too many: $broken', ({ version, broken }) => {
  expect(erasesOneTooMany(version)).toBe(broken);
});
