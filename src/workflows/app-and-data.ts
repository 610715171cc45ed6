/** What goes into the app slot and the data slot, and whether it can work there. */
import { type DataHeader, exceededMapLimit } from '#formats/data/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { packForFirmware } from '#formats/release/release-data.ts';
import { type BoardState } from './board-state.ts';
import { flashWrite, type PlannedRoles, type PlanPart } from './flash-plan.ts';
import { imageObjections } from './image-objections.ts';
import { objection, type Warning, warning } from './plan-notices.ts';
import { slotSizeForData } from './two-slot-table.ts';

/** Payload of the data slot, not packed; of a packed one the payload is taken. */
export interface DataFile {
  name: string;
  bytes: Uint8Array;
}

export function planApp(build: ReleaseBuild, { app: slot }: PlannedRoles, board: BoardState): PlanPart {
  const { data } = build.app;
  const { revision } = board.identity;
  const verdict = imageObjections(data, { subject: 'app', chip: build.chip, revision, slotSize: slot.size });
  const objections = 'objections' in verdict ? verdict.objections : [];
  const warnings: Warning[] = [];
  if ('image' in verdict) {
    const { flashSize = 0 } = verdict.image.header;
    if (flashSize > board.flashSize) {
      warnings.push(warning('app-header-flash-size', 'app', { headerSize: flashSize, flashSize: board.flashSize }));
    }
  }
  // A signature behind the image needs room too.
  if (data.length > slot.size && !objections.some(({ code }) => code === 'too-large')) {
    objections.push(objection('too-large', 'app', { size: data.length, room: slot.size }));
  }
  const write = flashWrite({ role: 'app', label: slot.name, offset: slot.offset, data, why: 'from-release' });
  return { writes: [write], objections, warnings };
}

export interface DataInputs {
  build: ReleaseBuild;
  roles: PlannedRoles;
  data: DataFile | undefined;
  /** What the firmware expects before the payload. */
  header: DataHeader;
}

export function planData({ build, roles, data, header }: DataInputs): PlanPart {
  const slot = roles.data;
  const warnings: Warning[] = [];
  const limit = slot && exceededMapLimit(build.chip, slot.size);
  if (slot && limit !== undefined) {
    warnings.push(warning('data-slot-too-large-to-map', 'data', { size: slot.size, limit }));
  }
  if (!data) return { objections: [], warnings };
  if (!slot) return { objections: [objection('no-data-slot', 'data', { file: data.name })], warnings };

  const packed = packOrRefuse(data.bytes, { header, build, slotSize: slot.size });
  if (packed instanceof FormatError) {
    const values = {
      rule: packed.code,
      message: packed.message,
      file: data.name,
      size: data.bytes.length,
      room: slot.size,
    };
    const code = packed.code === 'data-too-large' ? 'too-large' : 'data-refused';
    return { objections: [objection(code, 'data', values)], warnings };
  }
  const [app, size] = [build.app.data.length, data.bytes.length];
  if (app > slot.size || slotSizeForData(size) > roles.app.size) {
    const values = { app, data: size, appSlot: roles.app.size, dataSlot: slot.size };
    warnings.push(warning('next-update-would-not-fit', 'data', values));
  }
  const write = flashWrite({ role: 'data', label: slot.name, offset: slot.offset, data: packed, why: 'data-packed' });
  return { writes: [write], objections: [], warnings };
}

/** A file that is packed already (for whatever chip) is packed again for this one. */
function packOrRefuse(...args: Parameters<typeof packForFirmware>): Uint8Array | FormatError {
  try {
    return packForFirmware(...args);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}
