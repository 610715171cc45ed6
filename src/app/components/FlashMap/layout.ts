/**
 * Where each area of the flash stands in the map: to scale, but no area narrower than can be seen and hit. Pure.
 */
import { type FlashArea } from './flash-area.ts';

export interface FlashBox {
  area: FlashArea;
  /** Pixels from the left edge; whole numbers, so that edges are crisp. */
  x: number;
  width: number;
}

export interface LayoutOptions {
  /** Bytes of flash. An area that reaches beyond makes the map longer. */
  size: number;
  /** First byte of the strip. */
  from?: number;
  /** Pixels of the whole strip. */
  width: number;
  /** Least pixels of an area. Where even these do not fit, all shrink alike. */
  minWidth: number;
}

/** One line of a map that is broken into two. */
export interface FlashRow {
  from: number;
  /** The byte after its last. */
  to: number;
  boxes: FlashBox[];
}

/** Least pixels of a gap: it must be seen, not hit. */
const MIN_GAP = 6;
/** As many areas drawn wider than they are make a line hard to read; then two lines tell more. */
const CROWDED = 4;

/**
 * Boxes in the order of their offsets, gaps between areas as areas of role `free`; they touch, never overlap, and fill `width`.
 */
export function layoutFlashMap(areas: readonly FlashArea[], options: LayoutOptions): FlashBox[] {
  const whole = withGaps(areas, options);
  const widths = shareOut(whole, options);
  let edge = 0;
  let x = 0;
  return whole.map((area, index) => {
    edge += widths[index] ?? 0;
    const end = index === whole.length - 1 ? Math.round(options.width) : Math.round(edge);
    const box = { area, x, width: end - x };
    x = end;
    return box;
  });
}

/**
 * The same in one line, or in two where the strip is narrow and most areas are far smaller than the largest: the small ones at the
 * start of a flash then get a line and a scale of their own.
 */
export function layoutFlashRows(
  areas: readonly FlashArea[],
  options: LayoutOptions & { breakBelow: number },
): FlashRow[] {
  const from = options.from ?? 0;
  const boxes = layoutFlashMap(areas, options);
  const to = endOf(boxes) ?? options.size;
  const one = [{ from, to, boxes }];
  if (options.width >= options.breakBelow || raised(one, options) < CROWDED) return one;
  let best: FlashRow[] = one;
  for (let cut = 2; cut <= boxes.length - 2; cut++) {
    const middle = boxes[cut]?.area.offset ?? to;
    const part = (some: FlashBox[], range: { from: number; size: number }): FlashRow => ({
      from: range.from,
      to: range.size,
      boxes: layoutFlashMap(
        some.map(({ area }) => area),
        { ...options, ...range },
      ),
    });
    const two = [part(boxes.slice(0, cut), { from, size: middle }), part(boxes.slice(cut), { from: middle, size: to })];
    if (distortion(two) < distortion(best)) best = two;
  }
  return best;
}

const endOf = (boxes: readonly FlashBox[]): number | undefined => {
  const last = boxes.at(-1)?.area;
  return last && last.offset + last.size;
};

/** How many areas are drawn wider than they are. */
function raised(rows: readonly FlashRow[], { minWidth }: LayoutOptions): number {
  return rows.flatMap(({ boxes }) => boxes.filter(({ width }) => width <= minWidth + 1)).length;
}

/** How far the widths are from the scale of their line: 0 where every area is to scale, and more the more it is enlarged. */
function distortion(rows: readonly FlashRow[]): number {
  return sum(
    rows.flatMap(({ boxes }) => {
      const pixels = sum(boxes.map(({ width }) => width));
      const bytes = sum(boxes.map(({ area }) => area.size));
      return boxes.map(({ area, width }) => Math.max(0, Math.log((width * bytes) / (pixels * Math.max(1, area.size)))));
    }),
  );
}

function withGaps(areas: readonly FlashArea[], { size, from = 0 }: LayoutOptions): FlashArea[] {
  const sorted = [...areas].sort((a, b) => a.offset - b.offset);
  const whole: FlashArea[] = [];
  let at = from;
  const gap = (to: number): void => {
    if (to > at) whole.push({ id: `free-${at}`, label: 'free', role: 'free', offset: at, size: to - at });
  };
  for (const area of sorted) {
    gap(area.offset);
    whole.push(area);
    at = Math.max(at, area.offset + area.size);
  }
  gap(size);
  return whole;
}

/** Widths that sum to `width`: areas below their least get it, the others share the rest by size; until nothing changes. */
function shareOut(areas: readonly FlashArea[], { width, minWidth }: LayoutOptions): number[] {
  const least = areas.map(({ role }) => (role === 'free' ? Math.min(MIN_GAP, minWidth) : minWidth));
  const needed = sum(least);
  if (needed >= width) return least.map((pixels) => (pixels * width) / needed);
  const fixed = new Set<number>();
  for (;;) {
    const room = width - sum(least.filter((_, index) => fixed.has(index)));
    const bytes = sum(areas.map(({ size }, index) => (fixed.has(index) ? 0 : size)));
    const scaled = areas.map(({ size }) => (bytes > 0 ? (size * room) / bytes : room / (areas.length - fixed.size)));
    const small = areas.flatMap((_, index) =>
      !fixed.has(index) && (scaled[index] ?? 0) < (least[index] ?? 0) ? [index] : [],
    );
    if (small.length === 0) return areas.map((_, index) => (fixed.has(index) ? least[index] : scaled[index]) ?? 0);
    for (const index of small) fixed.add(index);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
