/** The run in its phases, by name. */
import { type UpdateView } from '#api.ts';
import { bytesText, sentence } from '#messages/units.ts';
import { positionText } from '#messages/update-messages.ts';
import { type Position, type SlotContent, targetOf, type Transfer } from '#workflows/update-state.ts';
import { type Phase } from '../../components/phase.ts';
import { transferBytes } from '../../state/updates/run-progress.ts';

type Part = 'download' | 'arrive' | 'confirm';

const WHOLE: Readonly<Record<Transfer, SlotContent>> = { app: 'new-app', data: 'new-data', restore: 'old-data' };

/** Every transfer of the run with its parts; the way back in place of what it replaces. */
export function phasesOf(update: UpdateView): Phase[] {
  return transfersOf(update).flatMap((transfer) => partsOf(update, transfer));
}

function transfersOf({ state: { facts, position } }: UpdateView): readonly Transfer[] {
  const goesBack =
    position.at === 'ended'
      ? position.outcome === 'restored'
      : 'transfer' in position && position.transfer === 'restore';
  return goesBack ? [...facts.steps.slice(0, 1), 'restore'] : facts.steps;
}

function partsOf(update: UpdateView, transfer: Transfer): Phase[] {
  const { facts, position } = update.state;
  const target = targetOf(facts, transfer);
  const number = facts.steps.indexOf(transfer as 'app' | 'data') + 1;
  const step = number > 0 && facts.steps.length > 1 ? `Step ${number}: ` : '';
  const what = { app: 'new app', data: 'new data', restore: 'old data' }[transfer];
  const titles: [Part, string][] = [
    ['download', sentence(`${step}${what} into ${target}`)],
    ['arrive', transfer === 'app' ? `Restart from ${target}` : `Shown by the board`],
    ...(transfer === 'app' && facts.trialMs > 0
      ? ([['confirm', 'The new app confirms itself']] as [Part, string][])
      : []),
  ];
  const at = currentPart(position, transfer, update);
  const current = titles.findIndex(([part]) => part === at);
  const others = stateOfOthers(update, transfer);
  return titles.map(([part, title], index) => {
    const isCurrent = index === current;
    const state = isCurrent
      ? position.at === 'deciding'
        ? 'failed'
        : 'running'
      : current < 0
        ? others === 'failed' && index > 0
          ? 'skipped'
          : others
        : index < current
          ? 'done'
          : 'waiting';
    return { id: `${transfer}-${part}`, title, state, ...(isCurrent && { detail: detailOf(update, part) }) };
  });
}

/** The part in which the transfer is, if it is under way. */
function currentPart(position: Position, transfer: Transfer, update: UpdateView): Part | undefined {
  if (!('transfer' in position) || position.transfer !== transfer) return undefined;
  if (position.at === 'confirming') return 'confirm';
  const bytes = transferBytes(update);
  const isWhole = bytes !== undefined && bytes.total > 0 && bytes.done >= bytes.total;
  return isWhole ? 'arrive' : 'download';
}

/** Of a transfer that is not under way. */
function stateOfOthers({ state: { facts, position, slots } }: UpdateView, transfer: Transfer): Phase['state'] {
  if (slots[targetOf(facts, transfer)] === WHOLE[transfer] && transfer !== 'restore') return 'done';
  if (position.at === 'ended') {
    if (transfer === 'restore') return 'done';
    return position.outcome === 'restored' ? 'failed' : 'skipped';
  }
  if ('transfer' in position && position.transfer === 'restore') return 'failed';
  return 'waiting';
}

function detailOf(update: UpdateView, part: Part): string {
  const bytes = transferBytes(update);
  const { position } = update.state;
  if (part === 'download' && bytes && bytes.done > 0) return `${bytesText(bytes.done)} of ${bytesText(bytes.total)}`;
  return position.at === 'deciding' ? '' : positionText(position);
}
