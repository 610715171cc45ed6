/** What the two slots of a board hold in the course of a run: before, now, and what is still to come. Pure. */
import { type ReleaseView, type UpdateView } from '#api.ts';
import { type SlotName } from '#formats/ota-slots.ts';
import { slotContentText } from '#messages/update-messages.ts';
import { coveredBytes } from '#workflows/byte-ranges.ts';
import { initialState, type SlotContent, targetOf, type Transfer } from '#workflows/update-state.ts';
import {
  type Build,
  buildFor,
  inSlot,
  namesOf,
  pair,
  type SlotBox,
  type SlotScene,
  type SlotStep,
  type SlotStory,
} from './slot-story.ts';

type Contents = Readonly<Record<SlotName, SlotContent>>;

/** A run. What will not happen any more is left out. */
export function storyOfUpdate(update: UpdateView, release: ReleaseView | undefined): SlotStory {
  const { facts, position, slots } = update.state;
  const moving: readonly Transfer[] = goesBack(update) ? ['restore'] : facts.steps;
  const live = liveScene(update, moving);
  const count = position.at === 'ended' ? live : moving.length;
  const build = buildFor(release, undefined);
  const scenes = Array.from({ length: count + 1 }, (_, index): SlotScene => {
    const when = index < live ? 'past' : index === live ? 'now' : 'coming';
    const contents = when === 'now' ? slots : expected(update, moving, index);
    const boxes = pair((slot) => contentBox(update, { slot, contents, isLive: when === 'now', build }));
    return { title: titleOf(index, when, { moving, isAlone: facts.steps.length === 1 }), when, slots: boxes };
  });
  return { scenes, steps: moving.slice(0, count).map((transfer, index) => stepOf(update, transfer, index)) };
}

function goesBack({ state: { position } }: UpdateView): boolean {
  if (position.at === 'ended') return position.outcome === 'restored';
  return 'transfer' in position && position.transfer === 'restore';
}

/** The scene in which the board is: that after a step, as soon as the step has changed something. */
function liveScene({ state: { facts, position, slots } }: UpdateView, moving: readonly Transfer[]): number {
  if (position.at === 'ended' && position.outcome === 'complete') return moving.length;
  if (moving[0] === 'restore') {
    return position.at === 'ended' || ('served' in position && position.served.length > 0) ? 1 : 0;
  }
  return moving.findLastIndex((transfer) => CHANGED[transfer].includes(slots[targetOf(facts, transfer)])) + 1;
}

const CHANGED: Readonly<Record<Transfer, readonly SlotContent[]>> = {
  app: ['part-of-app', 'new-app'],
  data: ['part-of-data', 'new-data'],
  restore: ['part-of-data', 'old-data'],
};
const WHOLE = { app: 'new-app', data: 'new-data', restore: 'old-data' } as const;

interface Moving {
  moving: readonly Transfer[];
  /** The run has one step, which needs no number. */
  isAlone: boolean;
}

function titleOf(index: number, when: SlotScene['when'], { moving: [first], isAlone }: Moving): string {
  if (when === 'now') return 'Now';
  if (first === 'restore') return index === 0 ? (isAlone ? 'Failed' : 'Step 1 failed') : 'Put back';
  return index === 0 ? 'Before' : `After step ${index}`;
}

/** What the slots hold when so many of these transfers went well. The way back begins where step 1 has failed. */
function expected({ state: { facts, address } }: UpdateView, moving: readonly Transfer[], count: number): Contents {
  const contents = { ...initialState(facts, address).slots };
  const [first] = facts.steps;
  if (moving[0] === 'restore' && first)
    contents[targetOf(facts, first)] = first === 'app' ? 'part-of-app' : 'part-of-data';
  for (const transfer of moving.slice(0, count)) contents[targetOf(facts, transfer)] = WHOLE[transfer];
  return contents;
}

interface BoxContent {
  slot: SlotName;
  contents: Contents;
  /** It is so now. */
  isLive: boolean;
  build: Build | undefined;
}

function contentBox(update: UpdateView, { slot, contents, isLive, build }: BoxContent): SlotBox {
  const { before, release } = update;
  const { position, facts } = update.state;
  const content = contents[slot];
  const transfer = isLive && 'transfer' in position ? position.transfer : undefined;
  const isTarget = transfer !== undefined && targetOf(facts, transfer) === slot;
  const role = content === 'nothing-known' ? 'unknown' : content.endsWith('app') ? 'app' : 'data';
  const isPart = content.startsWith('part');
  const isOld = content.startsWith('old') || (isTarget && transfer === 'restore');
  const used = role === 'unknown' || (isOld && role === 'app') ? undefined : facts.sizes[isOld ? 'restore' : role];
  const served = isTarget && 'served' in position ? coveredBytes(position.served) : 0;
  const runsNew = Object.values(contents).includes('new-app');
  return {
    slot,
    role,
    content: slotContentText(content),
    names: isOld ? namesOf(inSlot(before, slot) ?? {}) : role === 'unknown' ? [] : newNames(role, release, build),
    size: (inSlot(update.slots, slot) ?? inSlot(before, slot))?.size,
    used,
    runs: runsNew ? content === 'new-app' : facts.from === slot,
    state: content.startsWith('new')
      ? 'new'
      : !isPart
        ? 'kept'
        : isTarget && position.at !== 'deciding'
          ? 'writing'
          : 'part',
    ...(isPart && used !== undefined && { done: Math.min(1, served / used) }),
  };
}

function newNames(role: 'app' | 'data', release: UpdateView['release'], build: Build | undefined): string[] {
  const app = role === 'app' ? build?.app : undefined;
  const version = app?.version ?? release.version;
  return namesOf({ project: app?.project ?? release.name, ...(version !== undefined && { version }) });
}

function stepOf({ state }: UpdateView, transfer: Transfer, index: number): SlotStep {
  const { facts, position, slots } = state;
  const target = targetOf(facts, transfer);
  const isCurrent = 'transfer' in position && position.transfer === transfer;
  const isDone = slots[target] === WHOLE[transfer] && !isCurrent;
  const begun = position.at === 'ended' ? 'failed' : 'planned';
  return {
    ...(transfer !== 'restore' && { number: index + 1 }),
    transfer,
    target,
    size: facts.sizes[transfer],
    state: isCurrent ? (position.at === 'deciding' ? 'failed' : 'running') : isDone ? 'done' : begun,
  };
}
