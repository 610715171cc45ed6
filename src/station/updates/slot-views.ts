/** What the slots of a board hold in the course of a run, for people. Pure. */
import { type SlotView } from '#api.ts';
import { type RunningSlot, SLOT_NAMES, type SlotName } from '#formats/ota-slots.ts';
import { type RunFacts, type SlotContent, targetOf, type UpdateState } from '#workflows/update-state.ts';
import { type Carried } from '../store/update-store.ts';

type Contents = UpdateState['slots'];

export const slotViews = (contents: Contents, carried: Carried): SlotView[] =>
  SLOT_NAMES.map((slot) => slotView(slot, contents[slot], carried));

function slotView(slot: SlotName, content: SlotContent, { before, app, data, slotSizes }: Carried): SlotView {
  const size = slotSizes?.[slot];
  const place = { slot, ...(size !== undefined && { size }) };
  switch (content) {
    case 'new-app':
      return { ...place, role: 'app', ...app };
    case 'new-data':
      return { ...place, role: 'data', ...data };
    case 'part-of-app':
    case 'part-of-data':
      return { ...place, role: 'unknown' };
    case 'old-app':
    case 'old-data':
    case 'nothing-known':
      return { role: 'unknown', ...before.find((one) => one.slot === slot), ...place };
  }
}

/** What the slots hold after each of the steps that a run is to do. */
export function contentsAfter(facts: RunFacts, start: Contents): Contents[] {
  const all: Contents[] = [];
  let contents = start;
  for (const step of facts.steps) {
    contents = { ...contents, [targetOf(facts, step)]: step === 'app' ? 'new-app' : 'new-data' };
    all.push(contents);
  }
  return all;
}

/** From where the app runs when a run has ended so. */
export const runningAfter = ({ facts, slots }: UpdateState): RunningSlot =>
  SLOT_NAMES.find((slot) => slots[slot] === 'new-app') ?? facts.from;
