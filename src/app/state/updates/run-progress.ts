/** How far a run is, from what the station tells of it. Pure. */
import { type ReleaseView, type UpdateView } from '#api.ts';
import { coveredBytes } from '#workflows/byte-ranges.ts';
import { type Position, type Transfer } from '#workflows/update-state.ts';

export interface RunBytes {
  done: number;
  total: number;
}

/** Nothing happens any more. */
export const isOver = ({ state, queued }: UpdateView): boolean => state.position.at === 'ended' || queued === 'held';

/** It does not go on without the user. */
export const needsUser = ({ state }: UpdateView): boolean =>
  state.position.at === 'deciding' || state.position.at === 'picking';

export const transferOf = (position: Position): Transfer | undefined =>
  'transfer' in position ? position.transfer : undefined;

/** Bytes of the transfer that is under way which the board has fetched. */
export function transferBytes({ state: { facts, position } }: UpdateView): RunBytes | undefined {
  const transfer = transferOf(position);
  const total = transfer && facts.sizes[transfer];
  if (total === undefined) return undefined;
  return { done: 'served' in position ? Math.min(total, coveredBytes(position.served)) : 0, total };
}

/** Bytes of all steps together; of the old data alone while they are put back. */
export function runBytes(update: UpdateView): RunBytes {
  const { facts, position } = update.state;
  const transfer = transferOf(position);
  const current = transferBytes(update);
  if (transfer === 'restore') return current ?? { done: 0, total: 0 };
  const sizes = facts.steps.map((step) => facts.sizes[step] ?? 0);
  const sum = (some: readonly number[]): number => some.reduce((all, size) => all + size, 0);
  const total = sum(sizes);
  if (position.at === 'ended') return { done: position.outcome === 'complete' ? total : 0, total };
  const before = transfer ? sizes.slice(0, facts.steps.indexOf(transfer)) : [];
  return { done: sum(before) + (current?.done ?? 0), total };
}

/** Seconds until the transfer that is under way is through, at the speed of the last seconds; `undefined` while that is not known. */
export function secondsLeft(update: UpdateView): number | undefined {
  const bytes = transferBytes(update);
  if (update.state.position.at !== 'downloading' || !bytes || !update.rate) return undefined;
  return (bytes.done < bytes.total * 0.04 ? undefined : (bytes.total - bytes.done) / update.rate) ?? undefined;
}

/** The run that a board's picture belongs to: one that is not over, else none. */
export const openRun = (updates: readonly UpdateView[], boardId: string): UpdateView | undefined =>
  updates.find((update) => update.board.id === boardId && !isOver(update));

/**
 * The release that the board had before this run, if the station still has it: of the last run of this board that was complete, else one
 * whose app has the project and version that ran.
 */
export function olderRelease(
  { board, release, before = [], startedAt }: UpdateView,
  { updates, releases }: { updates: readonly UpdateView[]; releases: readonly ReleaseView[] },
): ReleaseView | undefined {
  const last = updates
    .filter((other) => other.board.id === board.id && other.startedAt < startedAt)
    .find(({ state: { position } }) => position.at === 'ended' && position.outcome === 'complete');
  const app = before.find(({ role }) => role === 'app');
  const ran = (one: ReleaseView): boolean =>
    app?.version !== undefined &&
    one.builds.some((build) => build.app.version === app.version && build.app.project === app.project);
  const others = releases.filter(({ id }) => id !== release.id);
  return others.find(({ id }) => id === last?.release.id) ?? others.find(ran);
}
