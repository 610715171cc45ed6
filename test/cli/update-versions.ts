/** Versions of a small product, as release files and as what lies in the slots of a board that has them. */
import { prepareRelease } from '#formats/release/make-release.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { tableOf } from '../sim/support/boot-flash.ts';
import { makeRelease } from '../support/releases.ts';

export const PARTITIONS = tableOf({ size: 0x6_0000 });

export interface Version {
  /** The release file. */
  file: Uint8Array;
  app: Uint8Array;
  data: Uint8Array;
}

/** App and data of several ranges each; the data begin with the name of the version. */
export function makeVersion(version: string, { project = 'voice_box', appSize = 0x2_4000 } = {}): Version {
  const build = makeRelease({
    ...{ chip: 'esp32', kind: 'idf', partitions: PARTITIONS, appSize, project, version, idf: 'v5.1' },
  });
  const payload = new Uint8Array(0x2_8000).fill(version.charCodeAt(0));
  payload.set(new TextEncoder().encode(`data ${version}`));
  const data = { name: 'voices.bin', bytes: payload, layout: 'raw' } as const;
  const release = prepareRelease(build, { product: 'Voice box', version, data });
  const [first] = release.builds;
  if (!first?.data) throw new Error('The release has no data');
  return { file: encodeReleaseFile(release), app: first.app.data, data: first.data.data };
}
