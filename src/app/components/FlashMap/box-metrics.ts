/**
 * The measures of a box of the map, and whether a text fits it. Estimated from its letters: measuring would need a font that may still
 * be loading.
 */

/** Pixels of the strip. */
export const BOX_HEIGHT = 68;
/** Pixels between two boxes. */
export const BOX_GAP = 2;

/** Pixels of an average letter at 13 px, bold; on the safe side. */
const LETTER = 7.3;
/** Pixels that a label leaves free at both sides together. */
const PADDING = 18;
/** Pixels of the sign beside a label. */
const SIGN = 22;

/** `room`: pixels for the text alone. */
export const fits = (text: string, room: number): boolean => text.length * LETTER <= room;

/** Whether a label fits a box of this width, with its sign where it has one. */
export const labelFits = (label: string, { width, signed }: { width: number; signed: boolean }): boolean =>
  fits(label, width - PADDING - (signed ? SIGN : 0));
