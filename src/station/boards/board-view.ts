/** A board as page and command line see it: what is written down of it, what it said last, and what is being done to it. */
import { type BoardView, type SlotView } from '#api.ts';
import { type BoardPage } from '#device/board-http.ts';
import { type BoardRecord } from '../store/board-store.ts';
import { currentSlots } from './current-slots.ts';

/** What a look at a board gave. */
export type Page = BoardPage | 'silent' | 'unknown';

export interface Look {
  page: Page;
  /** Another board answers at its address. */
  other: boolean;
  /** Milliseconds since 1970. */
  at: number;
}

/** A run of a board that is not over. */
export interface BoardRun {
  id: string;
  slots: SlotView[];
  /** The board has enough to do: its page is not asked for. */
  busy: boolean;
}

export function boardView(
  record: BoardRecord,
  { look, run }: { look: Look | undefined; run: BoardRun | undefined },
): BoardView {
  const { id, name, address, mac, chip, from } = record;
  const page = look && typeof look.page !== 'string' ? look.page : undefined;
  const { running, slots } = currentSlots(record, page);
  return {
    id,
    name: name ?? mac ?? address ?? id,
    ...(address !== undefined && { address }),
    ...(mac !== undefined && { mac }),
    ...(chip !== undefined && { chip }),
    from,
    reach: reachOf(look),
    ...(look && { seenAt: look.at }),
    ...(running !== undefined && { running }),
    slots: run?.slots ?? slots,
    ...(run && { updateId: run.id }),
  };
}

function reachOf(look: Look | undefined): BoardView['reach'] {
  if (!look) return 'unknown';
  if (look.other || look.page === 'unknown') return 'other';
  return look.page === 'silent' ? 'silent' : 'online';
}
