/** What goes into the app slot and the data slot, and whether it can work there. */
import { type Chip } from '#formats/chips.ts';
import {
  DATA_HEADER_SIZE,
  exceededMapLimit,
  isDataImage,
  packDataImage,
  SPI_MODE_BYTE,
} from '#formats/data/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
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

export function planData(build: ReleaseBuild, roles: PlannedRoles, data: DataFile | undefined): PlanPart {
  const slot = roles.data;
  const warnings: Warning[] = [];
  const limit = slot && exceededMapLimit(build.chip, slot.size);
  if (slot && limit !== undefined) {
    warnings.push(warning('data-slot-too-large-to-map', 'data', { size: slot.size, limit }));
  }
  if (!data) return { objections: [], warnings };
  if (!slot) return { objections: [objection('no-data-slot', 'data', { file: data.name })], warnings };

  const packed = packData(data, { chip: build.chip, slotSize: slot.size, build });
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

/** A file that is packed already (for this chip) goes in as it is, when it fits. */
function packData(
  data: DataFile,
  { chip, slotSize, build }: { chip: Chip; slotSize: number; build: ReleaseBuild },
): Uint8Array | FormatError {
  try {
    const payload = isDataImage(data.bytes) ? data.bytes.subarray(DATA_HEADER_SIZE) : data.bytes;
    return packDataImage(payload, { chip, slotSize, allowSpiModeByte: modeByteIsHarmless(build, payload) });
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/**
 * ESP-IDF 6.1 and later refuse a network update whose byte 213 is neither zero nor the running app's flash mode (esp_https_ota.c).
 * A data file whose byte there is something else is fine with an older firmware.
 */
function modeByteIsHarmless(build: ReleaseBuild, payload: Uint8Array): boolean {
  const { description } = build.app.image;
  const version = /^v?(\d+)\.(\d+)/.exec(description?.idfVersion ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 6 || (major === 6 && minor < 1)) return true;
  return (
    description?.spiFlashMode !== undefined && description.spiFlashMode === payload[SPI_MODE_BYTE - DATA_HEADER_SIZE]
  );
}
