/** What the slot picture says, as text: for whoever does not see it, for the line below it, for its table. */
import { bytesText } from '#messages/units.ts';
import { type SlotBox, type SlotScene, type SlotStep } from './slot-story.ts';

export const STEP_STATES: Readonly<Record<SlotStep['state'], string>> = {
  planned: 'to come',
  running: 'under way',
  done: 'done',
  failed: 'failed',
};

/** `new app`, `app`, with what is known of it. */
export const contentText = ({ content, names }: SlotBox): string =>
  [content, names.join(' ')].filter(Boolean).join(', ');

/** `1.31 of 3.97 MiB`, nothing where nothing is known. */
export function sizeText({ size, used }: SlotBox): string {
  if (size === undefined) return used === undefined ? '' : bytesText(used);
  return used === undefined ? bytesText(size) : `${bytesText(used)} of ${bytesText(size)}`;
}

export function stateText({ state, done, runs }: SlotBox): string {
  const share = done === undefined ? '' : `, ${Math.floor(done * 100)} %`;
  const word = { kept: '', new: '', writing: `being downloaded${share}`, part: 'incomplete' }[state];
  return [runs ? 'runs' : '', word].filter(Boolean).join(', ');
}

export const boxText = (box: SlotBox, scene: SlotScene): string =>
  [`${scene.title}: ${box.slot}`, contentText(box), sizeText(box), stateText(box)].filter(Boolean).join(', ');

const WHAT = { app: 'new app', data: 'new data', restore: 'old data' };
const ALONE = { app: 'New app', data: 'New data', restore: 'Old data' };

export const stepText = ({ number, transfer, target, size, state }: SlotStep): string =>
  [
    `${number === undefined ? ALONE[transfer] : `Step ${number}: ${WHAT[transfer]}`} into ${target}`,
    size === undefined ? '' : bytesText(size),
    STEP_STATES[state],
  ]
    .filter(Boolean)
    .join(', ');
