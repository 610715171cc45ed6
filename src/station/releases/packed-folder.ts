/** A build folder as the one file that a release is kept as. */
import { MAX_UPLOAD } from '#api.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { Refusal } from '../refusal.ts';
import { readBuildFolder } from './build-folder.ts';
import { refusingRelease } from './refused-release.ts';

/** For debuggers: no release has them, and they are by far the largest. */
const DEBUG_FILES = /\.(elf|map)$/i;

/**
 * The release file of the folder, as `twostep update` makes it for an upload: the same bytes for the same release, whatever else lies in the
 * folder.
 *
 * @throws {Refusal} `release-refused`; `too-large` for what is larger than an upload may be.
 */
export async function packFolder(folder: string): Promise<Uint8Array> {
  let sum = 0;
  const files = await readBuildFolder(folder, ({ path, size, isOutside }) => {
    // Whoever may put releases there may not read all that the station may.
    if (isOutside || DEBUG_FILES.test(path)) return false;
    if ((sum += size) > MAX_UPLOAD) throw new Refusal('too-large');
    return true;
  });
  return refusingRelease(() => encodeReleaseFile(prepareRelease(recogniseRelease(files), {})));
}
