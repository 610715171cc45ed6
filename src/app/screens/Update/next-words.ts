/** What the one button says, and what stands beside it; and what stands there while a run goes on. */
import { type UpdateView } from '#api.ts';
import { bytesText, rateText, secondsText } from '#messages/units.ts';
import { positionText } from '#messages/update-messages.ts';
import { runBytes, secondsLeft, transferBytes } from '../../state/updates/run-progress.ts';
import { type PlanningStep } from '../../state/updates/update-planning.svelte.ts';
import { boardsText } from './words.ts';

export function nextWords(
  step: PlanningStep,
  { boards, refused }: { boards: number; refused: number },
): { label: string; hint: string } {
  switch (step) {
    case 'find':
      return { label: 'Find boards', hint: 'On the network of the station, or by address.' };
    case 'choose-board':
      return { label: 'Choose a board', hint: 'Its row shows what it holds. Tick several to update them together.' };
    case 'choose-release':
      return { label: 'Choose a release', hint: 'One that the station has, or files that you give it.' };
    case 'plan':
      return { label: 'Plan', hint: 'Asks the boards for their page, and for nothing else.' };
    case 'settle':
      return {
        label: 'Show what is in the way',
        hint: refused > 1 ? `${boardsText(refused)} cannot be updated so.` : 'The board cannot be updated so.',
      };
    case 'agree':
      return { label: 'Show what to agree to', hint: 'Each is a checkbox of its own, where it stands in the plan.' };
    case 'update':
      return {
        label: boards > 1 ? `Update ${boardsText(boards)}` : 'Update',
        hint: 'The run goes on when this page is closed. It can be stopped; what that leaves is said then.',
      };
  }
}

export interface ProgressWords {
  label: string;
  /** 0 to 1 of all steps. */
  share: number | undefined;
  left: string;
  right: string;
}

export function progressWords(run: UpdateView): ProgressWords {
  const { position, facts } = run.state;
  const all = runBytes(run);
  const bytes = transferBytes(run);
  const seconds = secondsLeft(run);
  const step = 'transfer' in position ? facts.steps.indexOf(position.transfer as 'app' | 'data') + 1 : 0;
  const isDownload = position.at === 'downloading' && bytes;
  return {
    label: 'Progress of the run',
    share: run.queued ? 0 : all.total > 0 ? all.done / all.total : undefined,
    left: [
      facts.steps.length > 1 && step > 0 ? `Step ${step} of ${facts.steps.length}` : '',
      run.queued === 'waiting' ? 'Waits for its turn' : positionText(position),
      isDownload ? `${bytesText(bytes.done)} of ${bytesText(bytes.total)}` : '',
    ]
      .filter(Boolean)
      .join(' · '),
    right: [
      isDownload && run.rate ? rateText(run.rate) : '',
      seconds === undefined ? '' : `about ${secondsText(seconds)} left`,
    ]
      .filter(Boolean)
      .join(' · '),
  };
}
