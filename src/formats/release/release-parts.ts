/** The parts of a build in one list, with what each is. */
import { DataSubtype, type Partition, PartitionType } from '../partition-table.ts';
import { type ReleaseBuild, type ReleasePart } from './release.ts';
import { type PartRole } from './release-json.ts';

export interface RolePart {
  role: PartRole;
  name: string;
  data: Uint8Array;
  /** Absent for an app or data of which the board decides where they go. */
  offset?: number;
}

/** All parts, by address; those without one come last. */
export function partsOf(build: ReleaseBuild): RolePart[] {
  const { bootloader, table, otadata, app, data, extra } = build;
  const entries: (RolePart | undefined)[] = [
    bootloader && { ...bootloader, role: 'bootloader' },
    table && { name: 'partition-table.bin', ...table, role: 'partition-table' },
    otadata && { ...otadata, role: 'otadata' },
    { ...app, role: 'app' },
    data && { ...data, role: 'data' },
    ...extra.map((part): RolePart => ({ ...part, role: isNvs(rowOf(build, part)) ? 'nvs' : 'other' })),
  ];
  return entries
    .filter((part) => part !== undefined)
    .toSorted((a, b) => (a.offset ?? Number.POSITIVE_INFINITY) - (b.offset ?? Number.POSITIVE_INFINITY))
    .map(({ role, name, data: bytes, offset }) => ({
      role,
      name,
      data: bytes,
      ...(offset !== undefined && { offset }),
    }));
}

/** The row of the build's own table in which a part begins. */
export const rowOf = ({ table }: ReleaseBuild, { offset }: Pick<ReleasePart, 'offset'>): Partition | undefined =>
  table?.partitions.find((row) => offset >= row.offset && offset < row.offset + row.size);

const isNvs = (row: Partition | undefined): boolean =>
  row?.type === PartitionType.Data && row.subtype === DataSubtype.Nvs;
