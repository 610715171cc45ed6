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

export function layoutStory(story: SlotStory, width: number): StoryLayout {
  const { scenes, steps } = story;
  const measures = measure(story, width);
  const { isWide, sceneWidth, gap, heightOf } = measures;
  const layout: StoryLayout = { height: 0, scenes: [], boxes: [], steps: [] };
  let y = 0;
  for (const [index, scene] of scenes.entries()) {
    const step = steps[index - 1];
    const x = isWide ? index * (sceneWidth + gap) : 0;
    const chipY = isWide ? TITLE : y + 4;
    if (!isWide && step) y += CHIP.height + 16;
    layout.scenes.push({ scene, x, y: y + 16 });
    const top = y + TITLE + (isWide && steps.length > 0 ? LANE : 0);
    layout.boxes.push(...placeBoxes(scene, { x, y: top, index: layout.boxes.length }, measures));
    if (step) layout.steps.push(placeStep(step, { x, top, chipY }, measures));
    const bottom = top + Math.max(...scene.slots.map(heightOf));
    layout.height = Math.max(layout.height, bottom + 2);
    if (!isWide) y = bottom + 8;
  }
  return layout;
}

/** What is the same for all scenes. */
interface Measures {
  /** The scenes stand beside each other. */
  isWide: boolean;
  sceneWidth: number;
  boxWidth: number;
  /** Between two scenes beside each other. */
  gap: number;
  heightOf: (box: SlotBox) => number;
}

function measure({ scenes, steps }: SlotStory, width: number): Measures {
  const gaps = steps.length * (CHIP.width + 24);
  const isWide = (width - gaps) / scenes.length >= LEAST_SCENE;
  const sceneWidth = Math.min(isWide ? (width - gaps) / scenes.length : width, isWide ? MOST_SCENE : MOST_ALONE);
  const largest = Math.max(0, ...scenes.flatMap(({ slots }) => slots.map(({ size }) => size ?? 0)));
  return {
    isWide,
    sceneWidth,
    boxWidth: (sceneWidth - PAIR_GAP) / 2,
    // What is left of the width goes to the arrows, up to where they would look lost.
    gap: isWide && steps.length > 0 ? Math.min(MOST_GAP, (width - sceneWidth * scenes.length) / steps.length) : 0,
    heightOf: ({ size }) => boxHeight(size, largest, isWide ? TALLEST : 150),
  };
}

/** The boxes of a scene beside each other; `index` is that of the first. */
const placeBoxes = (
  scene: SlotScene,
  { x, y, index }: { x: number; y: number; index: number },
  { boxWidth, heightOf }: Measures,
): PlacedBox[] =>
  scene.slots.map((box, side) => ({
    ...{ box, scene, index: index + side },
    x: x + side * (boxWidth + PAIR_GAP),
    y,
    width: boxWidth,
    height: heightOf(box),
  }));

/** `x` and `top` are those of the boxes of the scene that it leads to. */
function placeStep(
  step: SlotStep,
  { x, top, chipY }: { x: number; top: number; chipY: number },
  { isWide, sceneWidth, boxWidth, gap }: Measures,
): PlacedStep {
  const toLeft = step.target === 'PA';
  // Under each other, the title stands above the left box: the arrow passes it on its right.
  const across = toLeft && !isWide ? 0.8 : 0.5;
  const tip = { x: (toLeft ? x : x + boxWidth + PAIR_GAP) + across * boxWidth, y: top - 3 };
  const chipX = isWide ? x - gap + (gap - CHIP.width) / 2 : (sceneWidth - CHIP.width) / 2;
  const chip = { x: chipX, y: chipY, ...CHIP };
  return { step, ...chip, tip, path: pathOf(chip, tip) };
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
