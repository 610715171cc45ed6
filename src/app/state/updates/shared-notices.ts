/** What the plans of several boards have to say: what they share once, with the boards that it is about. Pure. */
import { type PlanView } from '#api.ts';
import { type UpdateNotice } from '#workflows/update-notices.ts';

export interface SharedNotice {
  notice: UpdateNotice;
  /** Names. */
  boards: string[];
}

/** Those that the user's agreement does not remove. */
export const objectionsOf = ({ objections }: PlanView): UpdateNotice[] =>
  objections.filter(({ code }) => code !== 'boards-listener-closed');

/** Notices with the same `keyOf` are one; by default those that say the same. */
export function sharedNotices(
  plans: readonly PlanView[],
  noticesOf: (plan: PlanView) => readonly UpdateNotice[],
  keyOf: (notice: UpdateNotice) => string = (notice) => JSON.stringify(notice),
): SharedNotice[] {
  const all = new Map<string, SharedNotice>();
  for (const plan of plans) {
    for (const notice of noticesOf(plan)) {
      const key = keyOf(notice);
      const known = all.get(key) ?? { notice, boards: [] };
      known.boards.push(plan.board.name);
      all.set(key, known);
    }
  }
  return [...all.values()];
}
