/** A run as page and command line see it. */
import { type JournalLine, type UpdateView } from '#api.ts';
import { coveredBytes } from '#workflows/byte-ranges.ts';
import { type MemberStatus } from '#workflows/update-campaign.ts';
import { choicesOf, type Position, type UpdateEvent } from '#workflows/update-state.ts';
import { type UpdateRecord } from '../store/update-store.ts';
import { slotViews } from './slot-views.ts';

export function updateView(record: UpdateRecord, rate?: number): UpdateView {
  const { id, campaign, place, board, release, state, queued, carried, startedAt, changedAt, endedAt } = record;
  return {
    id,
    campaign,
    place,
    board,
    release,
    state,
    choices: choicesOf(state),
    ...(queued && { queued }),
    slots: slotViews(state.slots, carried),
    before: carried.before,
    startedAt,
    changedAt,
    ...(endedAt !== undefined && { endedAt }),
    ...(rate !== undefined && state.position.at === 'downloading' && { rate: Math.round(rate) }),
  };
}

export function memberStatus({ queued, state: { position } }: UpdateRecord): MemberStatus {
  if (queued) return queued;
  if (position.at === 'deciding' || position.at === 'picking') return 'deciding';
  if (position.at !== 'ended') return 'running';
  if (position.outcome === 'cancelled') return 'cancelled';
  return position.outcome === 'complete' ? 'succeeded' : 'failed';
}

/** The board is downloading or restarting, and has enough to do. */
export const isBusy = ({ at }: Position): boolean =>
  at === 'asking' || at === 'waiting' || at === 'downloading' || at === 'arriving';

export const bytesServed = (position: Position): number => ('served' in position ? coveredBytes(position.served) : 0);

/** What the journal says of an event and what followed. */
export function journalLine(at: number, event: UpdateEvent, position: Position): JournalLine {
  const detail = [eventDetail(event), positionDetail(position)].filter((text) => text !== '').join('; ');
  return { at, event: event.event, position: position.at, ...(detail !== '' && { detail }) };
}

function eventDetail(event: UpdateEvent): string {
  switch (event.event) {
    case 'page':
    case 'prepared':
      return [event.running && `runs from ${event.running}`, event.shown && `shows ${event.shown}`]
        .filter((text) => text)
        .join(', ');
    case 'unanswered':
      return event.delivered ? 'the board may have got the request' : 'the board did not get the request';
    case 'served':
      return `${coveredBytes(event.ranges)} bytes fetched`;
    case 'expired':
      return event.answers ? 'the board answers' : 'the board does not answer';
    case 'found':
      return event.candidates.map(({ address }) => address).join(', ') || 'no board was found';
    case 'picked':
      return event.address;
    case 'decided':
      return event.choice;
    case 'start':
    case 'answered':
    case 'stop':
      return '';
  }
}

function positionDetail(position: Position): string {
  if (position.at === 'ended') return position.outcome;
  if (position.at === 'ready') return '';
  const { transfer, attempt } = position;
  const failure = position.at === 'deciding' ? `, ${position.failure}` : '';
  const file = 'file' in position && position.at === 'asking' ? `, as ${position.file}` : '';
  return `${transfer}, attempt ${attempt}${file}${failure}`;
}
