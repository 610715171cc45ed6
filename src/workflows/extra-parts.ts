/** Images that a release brings for partitions of their own: file systems and the like. */
import { padBytes } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage, packDataImage } from '#formats/data/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { AppSubtype, type Partition, PartitionType } from '#formats/partition-table.ts';
import { type ReleaseBuild, type ReleasePart } from '#formats/release/release.ts';
import { isNvsRow } from './board-nvs.ts';
import { type FlashWrite, flashWrite, type PlannedRoles, type PlanPart } from './flash-plan.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { type ChosenTable } from './table-choice.ts';

interface ExtraInputs {
  build: ReleaseBuild;
  table: ChosenTable;
  roles: PlannedRoles | undefined;
  /** The user gave data of their own for the data slot. */
  dataGiven: boolean;
}

/** Each part goes to its partition, wherever that is now. */
export function planExtras(inputs: ExtraInputs): PlanPart {
  const { build, roles } = inputs;
  const writes: FlashWrite[] = [];
  const objections: Objection[] = [];
  const warnings: Warning[] = [];
  for (const part of build.extra) {
    const home = build.table?.partitions.find(
      ({ offset, size }) => part.offset >= offset && part.offset < offset + size,
    );
    const row = rowFor(part, home, inputs);
    if (!row) {
      warnings.push(warning('release-part-left-out', 'release', { label: part.name }));
      continue;
    }
    // What it brings for NVS is merged with the board's own settings.
    if (isNvsRow(row)) continue;
    // Some images begin behind the start of their partition (FAT behind its wear-levelling sector).
    const shift = home ? part.offset - home.offset : 0;
    if (shift + part.data.length > row.size) {
      const values = { label: part.name, size: part.data.length, room: row.size - shift };
      objections.push(objection('too-large', 'other', values));
    }
    const role = row === roles?.data ? 'data' : 'other';
    const data = role === 'data' ? repacked(part, row, build) : wholePart(part, row.size - shift);
    if (data instanceof FormatError) {
      objections.push(objection('data-refused', 'data', { file: part.name, rule: data.code, message: data.message }));
      continue;
    }
    writes.push(flashWrite({ role, label: row.name, offset: row.offset + shift, data, why: 'from-release' }));
  }
  return { writes, objections, warnings };
}

/**
 * In an app slot only two things have a place: a packed data image, in the data slot when no other data were given,
 * and the app of a factory row.
 */
function rowFor(
  part: ReleasePart,
  home: Partition | undefined,
  { table, roles, dataGiven }: ExtraInputs,
): Partition | undefined {
  if (home?.type !== PartitionType.App) {
    return table.partitions.find(
      ({ name, type }) => name === (home?.name ?? part.name) && (!home || type === home.type),
    );
  }
  if (isDataImage(part.data)) return dataGiven ? undefined : roles?.data;
  return home.subtype === AppSubtype.Factory
    ? table.partitions.find(
        ({ type, subtype, offset }) =>
          type === PartitionType.App && subtype === AppSubtype.Factory && offset !== roles?.app.offset,
      )
    : undefined;
}

/** Images that were cut behind their last byte that is not FF (of a merged file) get their FF back: the old bytes must not stay there. */
const wholePart = ({ data }: ReleasePart, room: number): Uint8Array =>
  data.length < room ? padBytes(data, room) : data;

/** A data image gets a header that is right for this chip and can never verify as an app, whatever its maker wrote. */
function repacked({ data }: ReleasePart, row: Partition, { chip }: ReleaseBuild): Uint8Array | FormatError {
  try {
    return packDataImage(data.subarray(DATA_HEADER_SIZE), { chip, slotSize: row.size, allowSpiModeByte: true });
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}
