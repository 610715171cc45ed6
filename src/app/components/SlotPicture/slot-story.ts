/** What the two slots of a board hold: now, between the steps of an update, and afterwards. Pure; of a run in run-story.ts. */
import { type PlanView, type ReleaseView, type SlotView } from '#api.ts';
import { type RunningSlot, type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { type RunFacts, targetOf, type Transfer } from '#workflows/update-state.ts';

export interface SlotBox {
  slot: SlotName;
  role: 'app' | 'data' | 'unknown';
  /** What lies there, in a few words: `app`, `part of the data`. */
  content: string;
  /** Project and version, release and tag, as far as they are known. */
  names: readonly string[];
  /** Bytes of the slot. */
  size?: number | undefined;
  /** Bytes of what lies there. */
  used?: number | undefined;
  runs: boolean;
  /** `new`: from this release. `writing`: being downloaded, `done` of it. `part`: only a part of it came. */
  state: 'kept' | 'new' | 'writing' | 'part';
  /** 0 to 1, of `used`. */
  done?: number | undefined;
}

export interface SlotScene {
  title: string;
  when: 'past' | 'now' | 'coming';
  slots: readonly [SlotBox, SlotBox];
}

/** What is downloaded between two scenes. */
export interface SlotStep {
  /** `1`, `2`; nothing for the way back. */
  number?: number | undefined;
  transfer: Transfer;
  target: SlotName;
  /** Bytes. */
  size?: number | undefined;
  state: 'planned' | 'running' | 'done' | 'failed';
}

/** One scene more than steps. */
export interface SlotStory {
  scenes: readonly SlotScene[];
  steps: readonly SlotStep[];
}

export type Build = ReleaseView['builds'][number];

/** The build for the board, where that is clear. */
export const buildFor = (release: ReleaseView | undefined, chip: string | undefined): Build | undefined =>
  release?.builds.find((build) => build.chip === chip) ??
  (release?.builds.length === 1 ? release.builds[0] : undefined);

export const namesOf = ({ project, version, shown }: Partial<SlotView>): string[] => {
  const names = [project, version].filter((name) => name !== undefined && name !== '') as string[];
  return names.length > 0 ? names : shown ? [`“${shown}”`] : [];
};

const CONTENT = { app: 'app', data: 'data', unknown: 'not known' };

function viewBox(view: SlotView | undefined, slot: SlotName, running: RunningSlot | undefined): SlotBox {
  const role = view?.role ?? 'unknown';
  const names = view ? namesOf(view) : [];
  return { slot, role, content: CONTENT[role], names, size: view?.size, runs: running === slot, state: 'kept' };
}

export const pair = (make: (slot: SlotName) => SlotBox): readonly [SlotBox, SlotBox] => [make('PA'), make('PB')];
export const inSlot = (views: readonly SlotView[] | undefined, slot: SlotName): SlotView | undefined =>
  views?.find((view) => view.slot === slot);

/** A board of which nothing is planned. */
export function storyOfBoard(slots: readonly SlotView[], running: RunningSlot | undefined): SlotStory {
  const boxes = pair((slot) => viewBox(inSlot(slots, slot), slot, running));
  return { scenes: [{ title: 'Now', when: 'now', slots: boxes }], steps: [] };
}

/** A plan: now, after each of its steps. */
export function storyOfPlan(plan: PlanView, release: ReleaseView | undefined): SlotStory {
  const { board, steps, before, between, after } = plan;
  const running = board.running;
  if (running === undefined || steps.length === 0)
    return storyOfBoard(before.length > 0 ? before : board.slots, running);
  const facts = { steps, from: running };
  const build = buildFor(release, board.chip);
  const views = steps.length === 2 ? [before, between, after] : [before, after];
  const scenes = views.map((view, index): SlotScene => {
    const runs = runningAfter(facts, index);
    const came = steps.slice(0, index);
    const slots = pair((slot) => {
      const box = viewBox(inSlot(view, slot) ?? inSlot(before, slot), slot, runs);
      const step = came.find((one) => target(facts, one) === slot);
      return step ? { ...box, state: 'new', used: build?.[step]?.size } : box;
    });
    return { title: index === 0 ? 'Now' : `After step ${index}`, when: index === 0 ? 'now' : 'coming', slots };
  });
  return {
    scenes,
    steps: steps.map((transfer, index) => ({
      number: index + 1,
      transfer,
      target: target(facts, transfer),
      size: build?.[transfer]?.size,
      state: 'planned',
    })),
  };
}

type Steps = Pick<RunFacts, 'steps' | 'from'>;
const asFacts = ({ steps, from }: Steps): RunFacts => ({ steps, from, sizes: {}, shown: {}, trialMs: 0 });
const target = (facts: Steps, transfer: Transfer): SlotName => targetOf(asFacts(facts), transfer);

/** Where the app runs after so many steps. */
const runningAfter = ({ steps, from }: Steps, count: number): RunningSlot =>
  steps.slice(0, count).includes('app') ? updateSlot(from) : from;
