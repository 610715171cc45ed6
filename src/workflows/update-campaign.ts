/** In which order the boards of one update take their turn, and when no more are begun. Pure. */

export interface CampaignRules {
  /** Boards that are updated at the same time, 1 or more. */
  readonly atOnce: number;
  /** The first so many go alone; the others only when all of these succeeded. 0: there is no such group. */
  readonly testGroup: number;
  /** No more boards are begun once so many have failed, 1 or more. */
  readonly stopAfter: number;
}

/** How it stands with one board. */
export type MemberStatus =
  | 'waiting'
  | 'running'
  /** It failed, and what becomes of it is not decided. */
  | 'deciding'
  | 'succeeded'
  | 'failed'
  /** The user took it out before its turn. */
  | 'cancelled'
  /** The campaign ended before its turn. */
  | 'held';

export interface CampaignStep {
  /** Places, from 0, of the boards that begin now. */
  begin: number[];
  /** Places of those that never will. */
  hold: number[];
}

/** What follows from how it stands with all boards, in their order. */
export function campaignStep(members: readonly MemberStatus[], rules: CampaignRules): CampaignStep {
  const testers = members.slice(0, rules.testGroup);
  const count = (...statuses: MemberStatus[]): number => members.filter((one) => statuses.includes(one)).length;
  const waiting = members.flatMap((status, place) => (status === 'waiting' ? [place] : []));

  if (count('failed') >= rules.stopAfter) return { begin: [], hold: waiting };
  // A tester that was taken out proves nothing either.
  if (testers.some((status) => status === 'failed' || status === 'cancelled' || status === 'held')) {
    return { begin: [], hold: waiting };
  }
  // What may still turn out well stops nobody for good, but nobody is begun on top of it.
  if (count('failed', 'deciding') >= rules.stopAfter) return { begin: [], hold: [] };

  const testing = testers.some((status) => status !== 'succeeded');
  const eligible = testing ? waiting.filter((place) => place < rules.testGroup) : waiting;
  const free = Math.max(0, rules.atOnce - count('running', 'deciding'));
  return { begin: eligible.slice(0, free), hold: [] };
}
