/** Where the boxes and arrows of the slot picture stand: scenes beside each other, or under each other where there is no room. Pure. */
import { type SlotBox, type SlotScene, type SlotStep, type SlotStory } from './slot-story.ts';

export interface PlacedBox {
  box: SlotBox;
  scene: SlotScene;
  /** Position in the order of the keys. */
  index: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PlacedStep {
  step: SlotStep;
  /** The part of the release. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** From the part into the box. */
  path: string;
  /** Where the head of the arrow points. */
  tip: { x: number; y: number };
}

export interface PlacedScene {
  scene: SlotScene;
  x: number;
  y: number;
}

export interface StoryLayout {
  height: number;
  scenes: PlacedScene[];
  boxes: PlacedBox[];
  steps: PlacedStep[];
}

const TITLE = 24;
/** Between the title and the boxes: there the arrows run. */
const LANE = 44;
const CHIP = { width: 124, height: 40 };
const PAIR_GAP = 10;
const TALLEST = 216;
const SHORTEST = 112;
/** Where nobody knows how large a slot is. */
const USUAL = 160;
/** Pixels that two boxes beside each other need. */
const LEAST_SCENE = 210;
const MOST_SCENE = 300;
const MOST_ALONE = 420;
const MOST_GAP = 260;

/** Heights to scale, with a least height for what stands in a box. */
export function boxHeight(size: number | undefined, largest: number, tallest = TALLEST): number {
  if (size === undefined || largest === 0) return Math.min(USUAL, tallest);
  return Math.max(SHORTEST, Math.round((size / largest) * tallest));
}

export function layoutStory({ scenes, steps }: SlotStory, width: number): StoryLayout {
  const gaps = steps.length * (CHIP.width + 24);
  const isWide = (width - gaps) / scenes.length >= LEAST_SCENE;
  const sceneWidth = Math.min(isWide ? (width - gaps) / scenes.length : width, isWide ? MOST_SCENE : MOST_ALONE);
  const boxWidth = (sceneWidth - PAIR_GAP) / 2;
  const largest = Math.max(0, ...scenes.flatMap(({ slots }) => slots.map(({ size }) => size ?? 0)));
  const heightOf = (box: SlotBox): number => boxHeight(box.size, largest, isWide ? TALLEST : 150);
  const layout: StoryLayout = { height: 0, scenes: [], boxes: [], steps: [] };
  // Beside each other, what is left of the width goes to the arrows, up to where they would look lost.
  const gap = isWide && steps.length > 0 ? Math.min(MOST_GAP, (width - sceneWidth * scenes.length) / steps.length) : 0;
  let y = 0;
  for (const [index, scene] of scenes.entries()) {
    const step = steps[index - 1];
    const x = isWide ? index * (sceneWidth + gap) : 0;
    const chipY = isWide ? TITLE : y;
    if (!isWide && step) y += CHIP.height + 16;
    layout.scenes.push({ scene, x, y: y + 16 });
    const top = y + TITLE + (isWide && steps.length > 0 ? LANE : 0);
    for (const [side, box] of scene.slots.entries()) {
      const boxX = x + side * (boxWidth + PAIR_GAP);
      layout.boxes.push({
        box,
        scene,
        index: layout.boxes.length,
        x: boxX,
        y: top,
        width: boxWidth,
        height: heightOf(box),
      });
    }
    if (step) {
      // Under each other, the title stands above the left box: the arrow passes it on its right.
      const across = step.target === 'PA' ? (isWide ? 0.5 : 0.8) : 0.5;
      const left = step.target === 'PA' ? x : x + boxWidth + PAIR_GAP;
      const tip = { x: left + across * boxWidth, y: top - 3 };
      const chip = isWide
        ? { x: x - gap + (gap - CHIP.width) / 2, y: chipY, ...CHIP }
        : { x: (sceneWidth - CHIP.width) / 2, y: chipY + 4, ...CHIP };
      layout.steps.push({ step, ...chip, tip, path: pathOf(chip, tip) });
    }
    const tallest = Math.max(...scene.slots.map(heightOf));
    layout.height = Math.max(layout.height, top + tallest + 2);
    if (!isWide) y = top + tallest + 8;
  }
  return layout;
}

/** Out of the side of the part, then down into the box. */
function pathOf(chip: { x: number; y: number; width: number; height: number }, tip: { x: number; y: number }): string {
  const middle = chip.y + chip.height / 2;
  const toRight = tip.x >= chip.x + chip.width / 2;
  const start = toRight ? chip.x + chip.width : chip.x;
  const turn = 8;
  const before = toRight ? tip.x - turn : tip.x + turn;
  return `M ${start} ${middle} H ${before} Q ${tip.x} ${middle} ${tip.x} ${middle + turn} V ${tip.y}`;
}

/** A text that fits into so many pixels, cut where it must be. */
export function cut(text: string, room: number, letter = 7): string {
  const most = Math.max(3, Math.floor(room / letter));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/**
 * Baselines of so many lines below each other, none of them across the edge of the filling: what would lie on it goes below.
 */
export function baselines(count: number, { first, edge }: { first: number; edge: number | undefined }): number[] {
  const lines: number[] = [];
  for (let y = first; lines.length < count; y += LINE) {
    if (edge !== undefined && y - 12 < edge && edge < y + 5) y = edge + 15;
    lines.push(y);
  }
  return lines;
}

const LINE = 16.5;
