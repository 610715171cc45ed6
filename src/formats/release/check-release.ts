/** Whether the images of a release would start, and its tables make sense: what a plan would object to on any board. */
import { type FormatIssue } from '../format-error.ts';
import { verifyImage } from '../image-verify.ts';
import { verifyPartitions } from '../partition-checks.ts';
import { PartitionType } from '../partition-table.ts';
import { isRealImage } from './file-content.ts';
import { type Release, type ReleaseBuild } from './release.ts';
import { partsOf, rowOf, type RolePart } from './release-parts.ts';

/** Everything that is wrong, with the part as its place; codes `image-…`, `partition-…`. */
export const checkRelease = ({ builds }: Release): FormatIssue[] =>
  builds.flatMap((build) => [...imageFaults(build), ...tableFaults(build)]);

function imageFaults(build: ReleaseBuild): FormatIssue[] {
  return partsOf(build)
    .filter(({ role, data }) => role !== 'data' && isRealImage(data))
    .flatMap((part) => imageFault(part, build) ?? []);
}

function imageFault(part: RolePart, build: ReleaseBuild): FormatIssue | undefined {
  const { role, data, offset } = part;
  const row = offset === undefined ? undefined : rowOf(build, { offset });
  const isBootloader = role === 'bootloader';
  const verdict = verifyImage(data, {
    chipId: build.chip.imageChipId,
    ...(row?.type === PartitionType.App && { partitionSize: row.size }),
    isBootloader,
  });
  const fault = (code: string, message: string): FormatIssue => ({ code, message, place: { file: part.name } });
  if (!verdict.ok) return fault(verdict.code, verdict.message);
  // The ROM does not compare the digest of a boot loader, but a wrong one means that the file is damaged or was patched badly.
  const { sha256 } = verdict.image;
  return !sha256 || sha256.stored === sha256.computed
    ? undefined
    : fault('image-bad-sha', 'Wrong SHA-256: the image is damaged');
}

function tableFaults({ table }: ReleaseBuild): FormatIssue[] {
  if (!table) return [];
  const { errors } = verifyPartitions(table.partitions, { tableOffset: table.offset });
  return errors.map((error) => ({ ...error, place: { file: 'partition table', ...error.place } }));
}
