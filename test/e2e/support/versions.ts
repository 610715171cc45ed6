/** Versions of a product with app and data, as release files, with what of each lies in a slot byte for byte. */
import { chipByName } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { appImage, makeRelease } from '../../support/releases.ts';
import { TWO_SLOTS } from '../../workflows/boards.ts';

export interface Version {
  version: string;
  file: ReleaseFile;
  /** What an update downloads of each. */
  app: Uint8Array;
  data: Uint8Array;
}

/** Bytes that do not compress, and differ by version. */
function noise(length: number, seed: string): Uint8Array {
  let state = [...seed].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7);
  return new Uint8Array(length).map(() => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24);
}

/** App and data of several ranges each; the larger the app, the longer the test has while it is downloaded. */
export function makeVersion(version: string, appSize = 0x3_0000): Version {
  const shape = { chip: 'esp32', appSize, project: 'voice_box', version, idf: 'v5.2' } as const;
  const constants = noise(appSize - 0x400, version);
  const payload = noise(0x2_8000, `data ${version}`);
  payload.set(new TextEncoder().encode(`voice ${version}`.padEnd(16, '\0')));
  payload.fill(0, 16, 256); // the byte that would be taken for a flash mode is among these
  const release = makeRelease({ ...shape, constants, kind: 'idf', partitions: TWO_SLOTS });
  const data = { name: 'voices.bin', bytes: payload, layout: 'raw' } as const;
  return {
    version,
    file: {
      path: `voice-${version}.zip`,
      bytes: encodeReleaseFile(prepareRelease(release, { product: 'Voice box', version, data })),
    },
    app: appImage({ ...shape, constants }),
    data: packDataImage(payload, { chip: chipByName('esp32')! }),
  };
}
