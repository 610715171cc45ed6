/** The plans of several boards, and what is told of them. */
import { type BoardView, type PlanRequest, type PlanView, type ReleaseView } from '#api.ts';
import { initialState } from '#workflows/update-state.ts';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { mapLimited } from '../turns.ts';
import { contentsAfter, slotViews } from './slot-views.ts';
import { type BoardPlan, type UpdatePlanner } from './update-planner.ts';

/** Boards that are looked at together. */
const AT_ONCE = 16;

/** One for each board, in their order. @throws {Refusal} `not-found`. */
export async function planBoards(
  { release: id, boards, only }: PlanRequest,
  { planner, library }: { planner: UpdatePlanner; library: ReleaseLibrary },
  signal?: AbortSignal,
): Promise<BoardPlan[]> {
  const release = await library.load(id);
  return mapLimited([...new Set(boards)], AT_ONCE, (board) => planner.plan({ board, release, only }, signal));
}

export function planView(
  { plan, carried }: BoardPlan,
  { release, board }: { release: ReleaseView; board: BoardView },
): PlanView {
  const { facts, files, address, objections, warnings, consents } = plan;
  const { id, name, version } = release;
  const start = facts && initialState(facts, address).slots;
  const after = facts && start ? contentsAfter(facts, start).map((contents) => slotViews(contents, carried)) : [];
  const steps = (['app', 'data'] as const).filter((step) => files[step]);
  return {
    board,
    release: { id, name, ...(version !== undefined && { version }) },
    steps,
    before: carried.before,
    between: after[0] ?? [],
    after: after.at(-1) ?? [],
    bytes: steps.reduce((sum, step) => sum + (files[step]?.image.length ?? 0), 0),
    ...(files.restore && { wayBack: { name: files.restore.name, size: files.restore.image.length } }),
    objections,
    warnings,
    consents,
  };
}
