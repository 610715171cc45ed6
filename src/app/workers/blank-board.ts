/** A board that is not there yet: what a plan would be on a new one, shown before any is connected. */
import { OPEN_CHIP } from '#formats/chip-security.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { tableEnd } from '#workflows/table-choice.ts';

/** What most modules have at least. */
const USUAL_FLASH = 0x40_0000;

/** As blank as from the shop, with as much flash as most boards have, or as the release needs. */
export function blankBoard({ chip, table }: ReleaseBuild): BoardState {
  const needed = tableEnd(table?.partitions ?? []);
  const flashSize = Math.max(USUAL_FLASH, 2 ** Math.ceil(Math.log2(Math.max(needed, 1))));
  const identity = {
    chip,
    chipName: chip.title,
    description: chip.title,
    revision: undefined,
    mac: undefined,
    flashId: undefined,
    flashSize,
    features: [],
    crystalMhz: undefined,
    security: OPEN_CHIP,
    usb: {},
  };
  return { identity, flashSize, slots: [], moreNvs: [], foreignNvs: [], filled: [], unknown: false, swapped: false };
}
