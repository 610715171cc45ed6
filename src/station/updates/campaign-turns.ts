/** Whose turn it is among the runs that were started together. */
import { campaignStep } from '#workflows/update-campaign.ts';
import { type Database } from '../store/database.ts';
import { type UpdateRecord, type UpdateStore } from '../store/update-store.ts';
import { type Campaign } from './open-updates.ts';
import { memberStatus } from './update-view.ts';

export interface TurnsOptions {
  database: Database;
  store: UpdateStore;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Writes down who begins, and who never will as the campaign has come to its end. */
export function takeTurns(
  { members, rules }: Campaign,
  { database, store, now }: TurnsOptions,
): { begun: UpdateRecord[]; held: UpdateRecord[] } {
  const step = campaignStep(members.map(memberStatus), rules);
  const at = (places: readonly number[]): UpdateRecord[] => places.flatMap((place) => members[place] ?? []);
  const [begun, held] = [at(step.begin), at(step.hold)];
  if (begun.length + held.length === 0) return { begun, held };
  for (const record of held) Object.assign(record, { queued: 'held', changedAt: now(), endedAt: now() });
  for (const record of begun) delete record.queued;
  database.transaction(() => {
    for (const record of [...begun, ...held]) store.change(record);
    for (const { id } of held) store.note(id, { at: now(), event: 'held', position: 'ready' });
  });
  return { begun, held };
}
