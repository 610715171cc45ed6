/** What `twostep otadata show` says to people. */
import { type BootChoice, type BootReason, OTA_STATE_NAMES, type RawSelectEntry } from '#formats/otadata.ts';
import { addressText } from '#messages/units.ts';

const REASONS: Record<BootReason, string> = {
  'no-otadata': 'the table has no otadata partition',
  'nothing-selected-factory': 'no entry is in use, and there is a factory app',
  'nothing-selected-no-factory': 'no entry is in use, and there is no factory app',
  selected: 'of the good entries it has the highest sequence',
  'bad-otadata-factory': 'an entry is in use, but none has a right CRC',
  'bad-otadata-no-factory': 'an entry is in use, but none has a right CRC, and there is no factory app',
};

/** `VALID`, or the number in hex where ESP-IDF has no name for it. */
export const stateName = (state: number): string => OTA_STATE_NAMES.get(state) ?? addressText(state);

interface ShownTable {
  slotCount: number;
  hasFactory: boolean;
  known: boolean;
  /** The names of what is tried, in order. */
  order: readonly string[];
}

/** Both entries, then what starts and why, then what that rests on. */
export function showText(
  entries: readonly RawSelectEntry[],
  choice: BootChoice,
  { slotCount, hasFactory, known, order }: ShownTable,
): string {
  const [first, ...others] = order;
  const reason =
    choice.activeSector === undefined
      ? REASONS[choice.reason]
      : `sector ${choice.activeSector} selects it: ${REASONS.selected}`;
  const slots = `${slotCount} OTA slot${slotCount === 1 ? '' : 's'}, ${hasFactory ? 'a' : 'no'} factory app`;
  return [
    ...entries.map(entryLine),
    first === undefined ? 'Starts nothing: the table has no app' : `Starts ${first}: ${reason}`,
    ...(others.length > 0 ? [`If that cannot be loaded: ${others.join(', ')}`] : []),
    ...choice.rewrites.map(({ sector, why }) => `Before that, sector ${sector} is rewritten: ${REWRITES[why]}`),
    known
      ? `The table has ${slots}`
      : `Taken for granted: ${slots}; say otherwise with --partitions, --slots, --factory`,
  ].join('\n');
}

const REWRITES: Record<BootChoice['rewrites'][number]['why'], string> = {
  aborted: 'its trial start was not confirmed',
  'first-start': 'its trial start comes now',
  actual: 'it names what started',
};

function entryLine({ sequence, state, crc, crcOk }: RawSelectEntry, sector: number): string {
  if (sequence === 0xffff_ffff) return `Sector ${sector}: erased`;
  return `Sector ${sector}: sequence ${sequence}, ${stateName(state)}, CRC ${addressText(crc)} (${crcOk ? 'right' : 'wrong'})`;
}
