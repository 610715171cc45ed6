/** What the user named as a release, as the one file that a station takes. */
import { prepareRelease } from '#formats/release/make-release.ts';
import { type DataWish } from '#formats/release/release-data.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { basename } from 'node:path';
import { inFile, readInput } from '../files/file-command.ts';
import { readRelease } from '../release-files.ts';

export interface UploadedRelease {
  name: string;
  bytes: Uint8Array;
}

/**
 * A release file with the builds of the release, and with the data if some are given.
 *
 * @throws {InputError} or {FormatError}, as `readRelease` and `prepareRelease`.
 */
export async function readUpload(paths: readonly string[], dataPath?: string): Promise<UploadedRelease> {
  const [first = ''] = paths;
  const found = await readRelease(paths);
  const data = dataPath === undefined ? undefined : await readData(dataPath);
  const release = inFile(dataPath ?? first, () => prepareRelease(found, { ...(data && { data }) }));
  return { name: `${basename(first)}.twostep.zip`, bytes: inFile(first, () => encodeReleaseFile(release)) };
}

const readData = async (path: string): Promise<DataWish> => ({
  name: basename(path),
  bytes: await readInput(path),
  layout: 'raw',
});
