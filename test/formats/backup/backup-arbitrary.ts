/** Backups as they could be of some board, small. */
import { md5 } from '@noble/hashes/legacy.js';
import fc from 'fast-check';
import { type Backup, type BackupManifest, type BackupRange, type StoredStretch } from '#formats/backup/backup.ts';
import { toHex } from '#formats/bytes.ts';
import { CHIPS } from '#formats/chips.ts';

const SECTOR = 0x1000;
const byte = fc.nat(0xff);
const u32 = fc.nat(0xffff_ffff);

/** A stretch with its digest; blank when nothing is given. */
export function stretchOf(offset: number, data: Uint8Array | number): StoredStretch {
  const blank = typeof data === 'number';
  const bytes = blank ? new Uint8Array(data).fill(0xff) : data;
  return { offset, length: bytes.length, md5: toHex(md5(bytes)), blank, data: blank ? new Uint8Array(0) : bytes };
}

/** Runs of sectors with gaps between, at most sixteen sectors in all. */
const sectorRuns = fc
  .array(fc.record({ gap: fc.nat(2), sectors: fc.integer({ min: 1, max: 3 }), blank: fc.boolean(), fill: byte }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((runs) => {
    let at = 0;
    return runs.map(({ gap, sectors, blank, fill }) => {
      const offset = at + gap * SECTOR;
      at = offset + sectors * SECTOR;
      return stretchOf(
        offset,
        blank ? sectors * SECTOR : new Uint8Array(sectors * SECTOR).map((_, i) => fill ^ (i * 7)),
      );
    });
  });

const manifest = (ranges: BackupRange[]): fc.Arbitrary<BackupManifest> =>
  fc.record(
    {
      created: fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date('2999-12-31') })
        .map((date) => date.toISOString()),
      chip: fc.constantFrom(...CHIPS.map(({ name }) => name)),
      description: fc.string({ unit: 'grapheme' }),
      revision: fc.record({ major: byte, minor: byte }),
      mac: fc
        .array(byte, { minLength: 6, maxLength: 6 })
        .map((bytes) => bytes.map((value) => value.toString(16).padStart(2, '0')).join(':')),
      flashId: u32,
      flashSize: fc.constantFrom(0x1_0000, 0x40_0000),
      flashEncryption: fc.constantFrom('off' as const, 'development' as const, 'release' as const),
      notes: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
      table: fc.record({
        offset: u32,
        partitions: fc.array(
          fc.record({ name: fc.string(), type: byte, subtype: byte, offset: u32, size: u32, flags: u32 }),
          { maxLength: 3 },
        ),
      }),
      ranges: fc.constant(ranges),
    },
    {
      requiredKeys: ['created', 'chip', 'description', 'flashSize', 'flashEncryption', 'notes', 'ranges'],
      noNullPrototype: true,
    },
  );

export const backups: fc.Arbitrary<Backup> = sectorRuns.chain((stretches) =>
  manifest(stretches.map(({ offset, length }) => ({ offset, length }))).map((made) => ({
    manifest: { ...made, flashSize: Math.max(made.flashSize, 0x1_4000) },
    stretches,
  })),
);
