/** The boot loader of a plan: whether it fits, and what its header must say so that it accepts table and flash. */
import { type ImageHeader } from '#formats/app-image.ts';
import { type Chip, type FlashMode } from '#formats/chips.ts';
import { FormatError } from '#formats/format-error.ts';
import { type FlashHeaderChange, patchFlashHeader } from '#formats/image-header-patch.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { type BoardState } from './board-state.ts';
import { flashWrite, type PlanPart } from './flash-plan.ts';
import { imageObjections } from './image-objections.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { type ChosenTable, tableEnd } from './table-choice.ts';

/**
 * What to do with mode, frequency and size in the boot loader's header. They are kept unless asked for: an octal flash
 * needs what the build chose. `detect` is the size of the real flash.
 */
export interface HeaderWish {
  mode?: FlashMode;
  /** `80m`, as the chip's table names it. */
  frequency?: string;
  size?: 'detect' | number;
  /** Take what the release itself says that the header should have, and the size of the real flash. */
  repair?: boolean;
}

export function planBootloader(
  { build, table, wish }: { build: ReleaseBuild; table: ChosenTable; wish: HeaderWish },
  board: BoardState,
): PlanPart {
  if (!build.bootloader) return judgeBoardsOwn(board, table);

  const { chip } = build;
  const { data } = build.bootloader;
  const verdict = imageObjections(data, { subject: 'bootloader', chip, revision: board.identity.revision });
  if ('objections' in verdict) return { objections: verdict.objections, warnings: [] };

  const objections: Objection[] = [];
  const warnings: Warning[] = [];
  const end = chip.bootloaderOffset + data.length;
  if (end > table.offset) {
    objections.push(objection('bootloader-overlaps-table', 'bootloader', { end, tableOffset: table.offset }));
  }
  if (build.headerRepair && !wish.repair) {
    const { mode, frequency } = build.headerRepair;
    warnings.push(warning('bootloader-header-suspect', 'bootloader', { mode, frequency }));
  }
  const asked = wish.repair ? { size: 'detect' as const, ...build.headerRepair, ...wish } : wish;
  const change = headerChange(verdict.image.header, { table, wish: asked, flashSize: board.flashSize });
  warnings.push(...change.warnings);
  const patched = patch(data, chip, change.header);
  if (patched instanceof FormatError) {
    objections.push(objection('header-setting-unknown', 'bootloader', { message: patched.message, chip: chip.title }));
    return { objections, warnings };
  }
  const size = change.header.size ?? verdict.image.header.flashSize;
  objections.push(...sizeObjections(size, board, table));
  const write = flashWrite({
    role: 'bootloader',
    label: 'boot loader',
    offset: chip.bootloaderOffset,
    data: patched,
    why: patched === data ? 'from-release' : 'header-changed',
  });
  return { writes: [write], objections, warnings };
}

/** A lone app runs on the boot loader that is there. */
function judgeBoardsOwn(board: BoardState, table: ChosenTable): PlanPart {
  if (!board.bootloader) return { objections: [objection('no-bootloader', 'bootloader')], warnings: [] };
  return { objections: sizeObjections(board.bootloader.flashSize, board, table), warnings: [] };
}

function headerChange(
  header: ImageHeader,
  { table, wish, flashSize }: { table: ChosenTable; wish: HeaderWish; flashSize: number },
): { header: FlashHeaderChange; warnings: Warning[] } {
  const change: FlashHeaderChange = {};
  const warnings: Warning[] = [];
  if (wish.mode) change.mode = wish.mode;
  if (wish.frequency) change.frequency = wish.frequency;
  if (wish.size !== undefined) change.size = wish.size === 'detect' ? flashSize : wish.size;
  if (wish.mode || wish.frequency || wish.size !== undefined) {
    warnings.push(warning('bootloader-header-changed', 'bootloader', { size: change.size ?? 0 }));
  }
  // A table of our own making (or the user's) may use all of the flash; the release's header may name less (2 MB is ESP-IDF's default).
  const ours = table.source === 'proposed' || table.source === 'csv';
  if (
    ours &&
    wish.size === undefined &&
    header.flashSize !== undefined &&
    header.flashSize < tableEnd(table.partitions)
  ) {
    change.size = flashSize;
    warnings.push(warning('bootloader-size-raised', 'bootloader', { from: header.flashSize, to: flashSize }));
  }
  return { header: change, warnings };
}

function patch(data: Uint8Array, chip: Chip, change: FlashHeaderChange): Uint8Array | FormatError {
  if (Object.keys(change).length === 0) return data;
  try {
    return patchFlashHeader(data, chip, change);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/** The boot loader takes the size in its own header for the flash, and refuses rows beyond it (flash_partitions.c). */
function sizeObjections(headerSize: number | undefined, board: BoardState, table: ChosenTable): Objection[] {
  if (headerSize === undefined) return [];
  const objections: Objection[] = [];
  if (headerSize > board.flashSize) {
    objections.push(objection('header-flash-size', 'bootloader', { headerSize, flashSize: board.flashSize }));
  }
  const end = tableEnd(table.partitions);
  if (end > headerSize && end <= board.flashSize) {
    objections.push(objection('table-beyond-header', 'bootloader', { headerSize, end, flashSize: board.flashSize }));
  }
  return objections;
}
