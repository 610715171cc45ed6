/** What an update looks like on the command line. */
import { type BoardView, type PlanView, type SlotView, type UpdateView } from '#api.ts';
import { type Message } from '#messages/message.ts';
import { printable } from '#messages/printable.ts';
import { bytesText, rateText } from '#messages/units.ts';
import {
  choiceText,
  failureMessage,
  outcomeMessage,
  positionText,
  updateNoticeMessage,
} from '#messages/update-messages.ts';
import { coveredBytes } from '#workflows/byte-ranges.ts';
import { type Choice } from '#workflows/update-state.ts';

/** Boards answer with whatever they like, and messages quote it. */
const oneLine = ({ what, state, todo }: Message): string =>
  printable([what, state, todo].filter((part) => part).join(' '));

export function planLines({ board, steps, bytes, before, after, wayBack, ...notices }: PlanView): string[] {
  const objections = notices.objections.map(
    (notice) => `  refused: ${oneLine(updateNoticeMessage(notice))} [${notice.code}]`,
  );
  // What could come after is of no interest then.
  if (objections.length > 0)
    return [`${boardName(board)}: cannot be updated so`, ...slotLines('now', before), ...objections];
  return [
    `${boardName(board)}: ${steps.map((step) => (step === 'app' ? 'app, restart' : 'data')).join(', ')}; ${bytesText(bytes)} to download`,
    ...slotLines('now', before),
    ...slotLines('then', after),
    wayBack ? `  way back  ${printable(wayBack.name)}, ${bytesText(wayBack.size)}` : '  way back  none',
    ...notices.consents.map((notice) => `  needs a yes: ${oneLine(updateNoticeMessage(notice))} [${notice.code}]`),
    ...notices.warnings.map((notice) => `  note: ${oneLine(updateNoticeMessage(notice))} [${notice.code}]`),
  ];
}

const slotLines = (when: string, slots: readonly SlotView[]): string[] =>
  slots.map(({ slot, role, project, version, shown }) => {
    const holds = [project, version, shown === undefined ? undefined : `“${shown}”`].filter(Boolean).join(' ');
    return `  ${when.padEnd(8)}${slot}  ${role === 'unknown' ? 'not known' : role}${holds ? `: ${printable(holds)}` : ''}`;
  });

export const boardName = ({ name, address }: Pick<BoardView, 'name' | 'address'>): string =>
  address === undefined || name === address ? printable(name) : `${printable(name)} (${address})`;

/** Where a run stands, as a line. */
export function updateLine(update: UpdateView): string {
  const { board, state, choices } = update;
  const { position } = state;
  const name = printable(board.name);
  if (update.queued) return `${name}: ${update.queued === 'waiting' ? 'waits for its turn' : 'was not begun'}`;
  if (position.at === 'ended') return `${name}: ${oneLine(outcomeMessage(position.outcome, state))}`;
  if (position.at !== 'deciding') return `${name}: ${positionText(position)}`;
  const message = oneLine(failureMessage(position.failure, position.transfer));
  return [`${name}: ${message} [${position.failure}]`, ...choices.map((choice) => choiceLine(choice, update))].join(
    '\n',
  );
}

function choiceLine(choice: Choice, { state }: UpdateView): string {
  const { title, what, risk } = choiceText(choice, state);
  return `  ${choice.padEnd(8)} ${title}: ${[what, risk].filter(Boolean).join(' ')}`;
}

/** Whether nothing more will become of it. */
export const isOver = ({ state, queued }: UpdateView): boolean => state.position.at === 'ended' || queued === 'held';

/** Bytes of what is being downloaded, and of how many. */
export function downloaded({ state }: UpdateView): { phase: string; done: number; total: number } | undefined {
  const { position, facts } = state;
  if (position.at !== 'downloading') return undefined;
  return { phase: position.transfer, done: coveredBytes(position.served), total: facts.sizes[position.transfer] ?? 0 };
}

/**
 * Boards that are updated together, in a line for a terminal: how many are done, and how far those are that are under way. What matters most
 * comes first, as the end is cut off where there are many.
 *
 * @returns nothing while none is under way.
 */
export function boardsLine(updates: readonly UpdateView[]): string | undefined {
  const underWay = updates.flatMap((update) => boardShare(update) ?? []);
  if (underWay.length === 0) return undefined;
  const over = updates.filter(isOver);
  const done = over.filter(({ state: { position } }) => position.at === 'ended' && position.outcome === 'complete');
  const rate = updates.reduce((sum, update) => sum + (downloaded(update) ? (update.rate ?? 0) : 0), 0);
  const missed = over.length - done.length;
  const counts = `${done.length} of ${updates.length} boards done${missed > 0 ? `, ${missed} not updated` : ''}`;
  return [counts, ...(rate > 0 ? [rateText(rate)] : []), underWay.join(', ')].join(' · ');
}

/** `Kitchen app 42 %`, of a board that somebody works on. */
function boardShare({ board, queued, state: { position, facts } }: UpdateView): string | undefined {
  if (queued || !('transfer' in position) || position.at === 'deciding' || position.at === 'picking') return undefined;
  const { transfer } = position;
  const served = 'served' in position ? coveredBytes(position.served) : 0;
  const percent = Math.floor((100 * served) / Math.max(1, facts.sizes[transfer] ?? 0));
  return `${printable(board.name)} ${transfer} ${percent} %`;
}
