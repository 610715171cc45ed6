/**
 * What an app does to otadata: select another slot, and go back. As ESP-IDF's components/app_update/esp_ota_ops.c, of whose
 * rule otatool.py (`switch_ota_partition`) has the same series of sequence numbers.
 */
import { padBytes } from './bytes.ts';
import { FormatError } from './format-error.ts';
import {
  activeSector,
  type BootTarget,
  checkSlot,
  decodeOtadata,
  encodeOtadata,
  encodeSelectEntry,
  OTADATA_SECTOR,
  OTADATA_SIZE,
  type OtaSelectEntry,
  OtaState,
  readSelectEntry,
  slotOfSequence,
} from './otadata.ts';

export interface SelectSlotOptions {
  slotCount: number;
  /** The state of the new entry. An app writes NEW when rollback is enabled, else UNDEFINED, which is the default. */
  state?: OtaState;
  /**
   * From IDF 6.0 on, selecting the slot that is active already only rewrites its entry's state; before, it writes the
   * same sequence into the other sector. Default: as 6.0.
   */
  idf?: 'before-6.0' | '6.0';
}

/**
 * The otadata after `esp_ota_set_boot_partition`: `otadata` (0x2000 bytes) is left alone, the result is a copy in which
 * one sector is rewritten; for the factory app both are erased. One slip of ESP-IDF is kept: when the active sequence is 0
 * and the number of slots is no power of two, the last slot gets sequence 0, which means another slot.
 *
 * @throws {FormatError} `otadata-bad-slot`, `otadata-too-short`, `otadata-bad-sequence` (the counter is at its end).
 */
export function selectSlot(
  otadata: Uint8Array,
  target: BootTarget,
  { slotCount, state = OtaState.Undefined, idf = '6.0' }: SelectSlotOptions,
): Uint8Array<ArrayBuffer> {
  const { entries } = decodeOtadata(otadata);
  if (target === 'factory') return encodeOtadata({ entries: [undefined, undefined] });
  checkSlot(target, slotCount);
  const sector = activeSector(entries);
  const active = sector === undefined ? undefined : entries[sector];
  if (sector === undefined || !active) return rewriteSector(otadata, 0, { sequence: target + 1, state });
  if (idf === '6.0' && slotOfSequence(active.sequence, slotCount) === target) {
    return rewriteSector(otadata, sector, { sequence: active.sequence, state });
  }
  // The smallest number of this slot's series that is not below the active one.
  const first = (target + 1) % slotCount;
  const rounds = Math.max(0, Math.ceil((active.sequence - first) / slotCount));
  return rewriteSector(otadata, sector === 0 ? 1 : 0, { sequence: first + rounds * slotCount, state });
}

/**
 * The otadata after `esp_ota_mark_app_invalid_rollback_and_reboot`: a copy in which the active entry is INVALID, so that the other one
 * counts, or the factory app.
 *
 * @throws {FormatError} `otadata-nothing-active`, `otadata-no-rollback` when neither is there, `otadata-too-short`.
 */
export function rollBack(otadata: Uint8Array, { hasFactory }: { hasFactory: boolean }): Uint8Array<ArrayBuffer> {
  const { entries } = decodeOtadata(otadata);
  const sector = activeSector(entries);
  const active = sector === undefined ? undefined : entries[sector];
  if (sector === undefined || !active) {
    throw new FormatError(
      'otadata-nothing-active',
      'No entry selects an app slot, so there is nothing to go back from',
    );
  }
  const state = OtaState.Invalid;
  const others = sector === 0 ? ([undefined, entries[1]] as const) : ([entries[0], undefined] as const);
  if (activeSector(others) === undefined && !hasFactory) {
    throw new FormatError(
      'otadata-no-rollback',
      `Only the entry of sector ${sector} is good, and no factory app is known of: there is nothing to go back to`,
      { place: { offset: sector * OTADATA_SECTOR } },
    );
  }
  return rewriteSector(otadata, sector, { sequence: active.sequence, state });
}

/** A copy with one sector erased and `entry` in it; the label bytes that were there are kept. */
function rewriteSector(otadata: Uint8Array, sector: 0 | 1, entry: OtaSelectEntry): Uint8Array<ArrayBuffer> {
  const start = sector * OTADATA_SECTOR;
  const { label } = readSelectEntry(otadata.subarray(start));
  const bytes = padBytes(otadata.subarray(0, OTADATA_SIZE), OTADATA_SIZE);
  bytes.fill(0xff, start, start + OTADATA_SECTOR);
  bytes.set(encodeSelectEntry({ ...entry, label }), start);
  return bytes;
}
