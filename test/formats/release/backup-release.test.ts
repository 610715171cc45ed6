/** A backup as a release: whichever slot the app lay in, app and data come out as they were written. */
import { describe, expect, test } from 'vitest';
import { type BackupManifest } from '#formats/backup/backup.ts';
import { encodeBackup } from '#formats/backup/backup-writer.ts';
import { chipByName } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release } from '#formats/release/release.ts';
import { appFor, flashWith, MB, tableOf } from '../../sim/support/boot-flash.ts';
import { stretchOf } from '../backup/backup-arbitrary.ts';

const APP = appFor('esp32s3', { version: '2.3.1', constants: 9000 });
const text = new TextEncoder();
const DATA = packDataImage(text.encode('voices of old, and more of them\xff'), { chip: chipByName('esp32s3')! });
const partitions = tableOf({ size: 0x10_0000 });

interface Shape {
  content?: Record<string, Uint8Array>;
  ranges?: BackupManifest['ranges'];
  changes?: Partial<BackupManifest>;
}

function backupOf({
  content = { ota_0: APP, ota_1: DATA },
  ranges = [{ offset: 0, length: 4 * MB }],
  changes = {},
}: Shape) {
  const flash = flashWith({ chip: 'esp32s3', partitions, content });
  const manifest: BackupManifest = {
    created: '2026-07-31T12:00:00.000Z',
    chip: 'esp32s3',
    description: 'ESP32-S3',
    flashSize: flash.length,
    flashEncryption: 'off',
    notes: [],
    table: { offset: 0x8000, partitions },
    ranges,
    ...changes,
  };
  const stretches = ranges.map(({ offset, length }) => stretchOf(offset, flash.slice(offset, offset + length)));
  return [{ path: 'board.backup', bytes: encodeBackup({ manifest, stretches }) }];
}

const parts = ({ builds }: Release) => ({ app: builds[0]?.app.data, data: builds[0]?.data?.data });

test('app and data are those of the board', () => {
  const release = recogniseRelease(backupOf({}));
  expect(release).toMatchObject({ kind: 'backup', version: '2.3.1', firmwareProfile: { dataHeader: 'two-step' } });
  expect(parts(release)).toEqual({ app: new Uint8Array(APP), data: DATA });
  expect(release.builds[0]).toMatchObject({ chip: { name: 'esp32s3' }, table: { offset: 0x8000, partitions } });
});

test('of a board that was updated over the network as well', () => {
  const swapped = encodeOtadata({ slot: 1, slotCount: 2 });
  const release = recogniseRelease(backupOf({ content: { otadata: swapped, ota_0: DATA, ota_1: APP } }));
  expect(parts(release)).toEqual({ app: new Uint8Array(APP), data: DATA });
});

test('without data where the other slot is blank, or holds an app', () => {
  expect(parts(recogniseRelease(backupOf({ content: { ota_0: APP } }))).data).toBeUndefined();
  expect(parts(recogniseRelease(backupOf({ content: { ota_0: APP, ota_1: APP } }))).data).toBeUndefined();
});

test('bare data stay bare', () => {
  const bare = text.encode('bare data');
  const release = recogniseRelease(backupOf({ content: { ota_0: APP, ota_1: bare } }));
  expect(parts(release).data).toEqual(bare);
  expect(release.firmwareProfile?.dataHeader).toBe('none');
});

describe('what is refused', () => {
  test.each<{ what: string; shape: Shape; code: string }>([
    { what: 'an encrypted one', shape: { changes: { flashEncryption: 'release' } }, code: 'release-backup-unusable' },
    { what: 'one without a table', shape: { changes: { table: undefined } }, code: 'release-backup-unusable' },
    {
      what: 'one slot',
      shape: { changes: { table: { offset: 0x8000, partitions: tableOf({ slots: 1 }) } } },
      code: 'release-backup-unusable',
    },
    { what: 'a part of the flash', shape: { ranges: [{ offset: 0, length: MB }] }, code: 'release-backup-unusable' },
    { what: 'one without an app', shape: { content: { ota_1: DATA } }, code: 'release-no-app' },
  ])('$what: $code', ({ shape, code }) => {
    let refused: unknown;
    try {
      recogniseRelease(backupOf(shape));
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(FormatError);
    expect(refused).toMatchObject({ code, place: { file: 'board.backup' } });
  });
});
