/** What the slots of a board hold, from what was written to them and what its page says now. Pure. */
import { type SlotView } from '#api.ts';
import { fromHex, toHex } from '#formats/bytes.ts';
import { type RunningSlot, SLOT_NAMES, type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { type BoardPage } from '#device/board-http.ts';
import { type BoardRecord } from '../store/board-store.ts';

/** What an app has where data have their first bytes: the magic of its description (`esp_app_desc_t`), in flash order. */
const APP_START = toHex(new Uint8Array([0x32, 0x54, 0xcd, 0xab]));

export interface CurrentSlots {
  running?: RunningSlot;
  /** Both, once anything is known. */
  slots: SlotView[];
}

/** What the page says outweighs what was written down: somebody else may have updated the board. */
export function currentSlots({ running, holdings }: BoardRecord, page?: BoardPage): CurrentSlots {
  const now = page?.running ?? running;
  const outdated = page !== undefined && isOutdated({ running, holdings }, page);
  if (now === undefined && holdings.length === 0) return { slots: [] };
  const slots = SLOT_NAMES.map((slot) => {
    const held = holdings.find((one) => one.slot === slot);
    const known: SlotView =
      held && !outdated ? held : { slot, role: 'unknown', ...(held?.size !== undefined && { size: held.size }) };
    if (!page || now === undefined) return known;
    // What the page shows is the slot of the next update.
    return slot === now ? withApp(known, page) : slot === updateSlot(now) ? withShown(known, page) : known;
  });
  return { ...(now !== undefined && { running: now }), slots };
}

function isOutdated({ running, holdings }: Pick<BoardRecord, 'running' | 'holdings'>, page: BoardPage): boolean {
  if (page.running === undefined) return false;
  if (running !== page.running) return true;
  const app = holdings.find(({ slot }) => slot === running);
  const differs = (held: string | undefined, seen: string | undefined): boolean =>
    held !== undefined && seen !== undefined && held !== seen;
  return differs(app?.project, page.project) || differs(app?.version, page.version);
}

const withApp = (known: SlotView, { project, version }: BoardPage): SlotView => ({
  ...known,
  role: 'app',
  ...(project !== undefined && { project }),
  ...(version !== undefined && { version }),
});

function withShown(known: SlotView, { shown }: BoardPage): SlotView {
  if (shown === undefined) return known;
  const blank = /^(ff)*$/.test(shown);
  const seenRole = shown.startsWith(APP_START) ? 'app' : blank ? 'unknown' : 'data';
  return { ...known, role: known.role === 'unknown' ? seenRole : known.role, shown: shownText(shown) };
}

/** As text for people: nothing in it has an effect of its own. */
const shownText = (hex: string): string =>
  new TextDecoder().decode(fromHex(hex)).replace(/[\p{C}\p{Z}\ufffd]/gu, (found) => (found === ' ' ? ' ' : '.'));

export const slotOf = (slots: readonly SlotView[], name: SlotName | undefined): SlotView | undefined =>
  slots.find(({ slot }) => slot === name);
