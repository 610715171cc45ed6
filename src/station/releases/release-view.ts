/** What the station tells of a release, and what it can be found by. */
import { type ReleaseView } from '#api.ts';
import { type Release, type ReleaseBuild } from '#formats/release/release.ts';
import { createHash } from 'node:crypto';
import { type ReleaseImage } from '../store/release-store.ts';

export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function releaseView(id: string, release: Release, addedAt: number): ReleaseView {
  const { name, version, builds, notes } = release;
  const said = [...notes, ...builds.flatMap((build) => build.notes)].map(({ message }) => message);
  return {
    id,
    name,
    ...(version !== undefined && { version }),
    addedAt,
    builds: builds.map(buildView),
    notes: [...new Set(said)],
  };
}

function buildView({ chip, app, data }: ReleaseBuild): ReleaseView['builds'][number] {
  return {
    chip: chip.name,
    app: { name: app.name, size: app.data.length, ...appNames(app) },
    ...(data && {
      data: { name: data.name, size: data.data.length, ...(data.tag !== undefined && { tag: data.tag }) },
    }),
  };
}

/** What an app calls itself. */
export function appNames({ image }: Pick<ReleaseBuild['app'], 'image'>): { project?: string; version?: string } {
  const { description } = image;
  return description ? { project: description.projectName, version: description.version } : {};
}

export const releaseImages = (releaseId: string, { builds }: Release): ReleaseImage[] =>
  builds.flatMap(({ chip, app, data }, build) => {
    const place = { releaseId, build, chip: chip.name };
    return [
      { ...place, role: 'app' as const, sha256: sha256Hex(app.data), ...appNames(app) },
      ...(data ? [{ ...place, role: 'data' as const, sha256: sha256Hex(data.data) }] : []),
    ];
  });
