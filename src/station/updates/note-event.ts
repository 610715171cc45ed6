/** The journal of a run. */
import { type Clock } from '#clock.ts';
import { type UpdateEvent, type UpdateState } from '#workflows/update-state.ts';
import { type Boards } from '../boards/boards.ts';
import { type Database } from '../store/database.ts';
import { type UpdateRecord, type UpdateStore } from '../store/update-store.ts';
import { runningAfter, slotViews } from './slot-views.ts';
import { journalLine } from './update-view.ts';

export interface JournalOptions {
  database: Database;
  store: UpdateStore;
  boards: Boards;
  clock: Clock;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Writes down what happened and what follows, on the disk and then in the record: before anything is done about it. */
export async function noteEvent(
  record: UpdateRecord,
  { event, state }: { event: UpdateEvent; state: UpdateState },
  { database, store, boards, clock, now }: JournalOptions,
): Promise<void> {
  const at = now();
  const { position } = state;
  const ended = position.at === 'ended';
  // Each range that was fetched would be a line of its own.
  const isLine = event.event !== 'served' || position.at !== record.state.position.at;
  const next: UpdateRecord = { ...record, state, changedAt: at, ...(ended && { endedAt: at }) };
  if (ended) delete next.queued;
  const written = database.soon(() => {
    store.change(next);
    if (isLine) store.note(record.id, journalLine(at, event, position));
    if (position.at === 'ended' && position.outcome !== 'cancelled') {
      boards.keepHoldings(record.board.id, slotViews(state.slots, record.carried), runningAfter(state));
    }
  });
  await clock.outside(written);
  if (ended) delete record.queued;
  Object.assign(record, next);
}
