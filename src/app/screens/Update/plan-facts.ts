/** What a plan does, row by row. */
import { type PlanView, type ReleaseView, type SlotView } from '#api.ts';
import { type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { bytesText } from '#messages/units.ts';
import { buildFor } from '../../components/SlotPicture/slot-story.ts';

export interface PlanFacts {
  steps: { title: string; what: string; over: string }[];
  wayBack: string;
}

export function planFacts(plan: PlanView, release: ReleaseView | undefined): PlanFacts {
  const { board, steps, before, wayBack } = plan;
  const build = buildFor(release, board.chip);
  const first = board.running && updateSlot(board.running);
  return {
    steps: steps.map((step, index) => {
      const target = first && (index === 0 ? first : updateSlot(first));
      const size = build?.[step]?.size;
      const what = [step === 'app' ? 'New app' : 'New data', size === undefined ? '' : bytesText(size)];
      return {
        title: steps.length > 1 ? `Step ${index + 1}` : 'One step',
        what: `${what.filter(Boolean).join(', ')}${target ? `, into ${target}` : ''}`,
        over: target ? overText(before, target) : '',
      };
    }),
    wayBack: wayBackText(plan, wayBack),
  };
}

function overText(before: readonly SlotView[], target: SlotName): string {
  const slot = before.find((view) => view.slot === target);
  if (!slot || slot.role === 'unknown') return 'over what is there now, which is not known';
  const what = [slot.project, slot.version].filter(Boolean).join(' ');
  return `over the ${slot.role} that is there now${what ? `, ${what}` : ''}`;
}

function wayBackText({ steps }: PlanView, wayBack: PlanView['wayBack']): string {
  if (!steps.includes('app')) return 'The app stays. The old data are not kept; another run can bring them again.';
  if (!wayBack) return 'None: the old data are not at hand.';
  return `The old data (${wayBack.name}, ${bytesText(wayBack.size)}), as long as the old app runs.`;
}
