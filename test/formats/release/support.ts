/** Releases for tests: the sample folders, and changes to them. */
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { padBytes, writeU16 } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { imageFixture } from '../app-fixtures.ts';

const folder = new URL('../../fixtures/release/', import.meta.url);

export const sampleNames = (): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

/** All files of a sample, with paths relative to its folder. */
export function sample(name: string): ReleaseFile[] {
  const root = new URL(`${name}/`, folder);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = `${entry.parentPath}/${entry.name}`;
      return { path: path.slice(root.pathname.length).replace(/^\//, ''), bytes: new Uint8Array(readFileSync(path)) };
    });
}

export const file = (path: string, bytes: Uint8Array | string): ReleaseFile => ({
  path,
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
});

export const json = (path: string, value: unknown): ReleaseFile => file(path, JSON.stringify(value));

/** The files with one replaced, renamed (`path`) or, with `undefined`, left out. */
export function replaced(
  files: readonly ReleaseFile[],
  path: string,
  change: Partial<ReleaseFile> | undefined,
): ReleaseFile[] {
  expect(files.map((entry) => entry.path)).toContain(path);
  return files.flatMap((entry) => (entry.path !== path ? [entry] : change ? [{ ...entry, ...change }] : []));
}

export const bytesOf = (files: readonly ReleaseFile[], path: string): Uint8Array =>
  files.find((entry) => entry.path === path)!.bytes;

/** The code of the refusal, or the release itself when there was none. */
export function refusal(files: readonly ReleaseFile[]): unknown {
  try {
    return recogniseRelease(files);
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

export const noteCodes = ({ builds, notes }: Release): string[] =>
  [...notes, ...builds.flatMap((build) => build.notes)].map(({ code }) => code);

/** An image with changed bytes, checksum left alone, its digest made right. */
export function withDigest(image: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = image.slice();
  change(bytes);
  const { sha256: digest } = parseImage(bytes);
  if (digest) bytes.set(sha256(bytes.subarray(0, digest.offset)), digest.offset);
  return bytes;
}

/** An app whose description has another project name and ESP-IDF version (changes outside of the checksum are made good). */
export function appNamed(
  projectName: string,
  idfVersion = 'v5.1',
  image = imageFixture('esp32-small.bin'),
): Uint8Array {
  return withDigest(image, (bytes) => {
    bytes.set(padBytes(new TextEncoder().encode(projectName), 32, 0), 80);
    bytes.set(padBytes(new TextEncoder().encode(idfVersion), 32, 0), 144);
    const { checksum } = parseImage(bytes);
    bytes[checksum.offset] = checksum.computed;
  });
}

/** An image that says another chip. */
export const imageFor = (chipId: number, name: string): Uint8Array =>
  withDigest(imageFixture(name), (bytes) => writeU16(bytes, 12, chipId));

type Row = [name: string, type: number, subtype: number, offset: number, size: number];

export const tableOf = (...rows: Row[]): Uint8Array =>
  encodePartitionTable(
    rows.map(([name, type, subtype, offset, size]): Partition => ({ name, type, subtype, offset, size, flags: 0 })),
  );

/** Parts laid out in a file that starts at `start`, gaps FF. */
export function merge(start: number, parts: Record<number, Uint8Array>, length = 0): Uint8Array {
  const entries = Object.entries(parts).map(([offset, data]) => ({ at: Number(offset) - start, data }));
  const bytes = new Uint8Array(Math.max(length, ...entries.map(({ at, data }) => at + data.length))).fill(0xff);
  for (const { at, data } of entries) bytes.set(data, at);
  return bytes;
}

/** Whether the files with some bytes of one of them changed, whatever bytes, are a release or refused as a `FormatError`. */
export function expectNoOtherError(files: readonly ReleaseFile[], path: string, numRuns: number): void {
  const original = bytesOf(files, path);
  const flips = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(flips, (chosen) => {
      const bytes = original.slice();
      for (const [offset, value] of chosen) bytes[offset] = value;
      try {
        recogniseRelease(replaced(files, path, { bytes }));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns },
  );
}
