/**
 * What an app does to otadata: the functions of ESP-IDF's `components/app_update/esp_ota_ops.c`, on the virtual flash.
 * How they behave on a real ESP-IDF v5.4.2: by experiment.
 */
import { verifyImage } from '#formats/image-verify.ts';
import {
  type BootTarget,
  chooseBootSlot,
  decodeOtadata,
  encodeSelectEntry,
  OTADATA_SIZE,
  OtaState,
} from '#formats/otadata.ts';
import { selectSlot } from '#formats/otadata-changes.ts';
import {
  AppSubtype,
  DataSubtype,
  findPartition,
  otaSlots,
  type Partition,
  PartitionType,
} from '#formats/partition-table.ts';
import { readFlash } from '#sim/boot/flash-bytes.ts';
import { FLASH_SECTOR, type NorFlash } from '#sim/board/nor-flash.ts';

/** What these functions need of the running app's surroundings. */
export interface OtaContext {
  flash: NorFlash;
  partitions: readonly Partition[];
  /** `chip_id` of images for this chip. */
  chipId: number;
  /** major * 100 + minor. */
  chipRevision: number;
  /** App and boot loader were built with app rollback. */
  rollback: boolean;
  /** Which behaviour for a slot that is selected already; see `selectSlot`. */
  idf?: 'before-6.0' | '6.0';
}

/** `ESP_OK`, `ESP_ERR_NOT_FOUND` (no such slot or no otadata) or `ESP_ERR_OTA_VALIDATE_FAILED`. */
export const OtaResult = { Ok: 0, NotFound: 0x105, ValidateFailed: 0x1503 } as const;
export type OtaResult = (typeof OtaResult)[keyof typeof OtaResult];

/** `esp_ota_set_boot_partition`: verifies the image, then rewrites otadata so that it starts next. */
export function setBootPartition(context: OtaContext, target: BootTarget): OtaResult {
  const { flash, partitions, chipId, chipRevision, rollback, idf } = context;
  const subtype = target === 'factory' ? AppSubtype.Factory : AppSubtype.Ota0 + target;
  const partition = findPartition(partitions, PartitionType.App, subtype);
  if (!partition) return OtaResult.NotFound;
  const { offset, size } = partition;
  const room = Math.max(size, flash.size - offset);
  const options = { chipId, chipRevision, partitionSize: size, partitionOffset: offset };
  if (!verifyImage(readFlash(flash.bytes, offset, room), options).ok) return OtaResult.ValidateFailed;
  const otadata = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  if (!otadata) return OtaResult.NotFound;
  const before = readFlash(flash.bytes, otadata.offset, OTADATA_SIZE);
  const slotCount = otaSlots(partitions).length;
  const state = rollback ? OtaState.New : OtaState.Undefined;
  writeChangedSectors(flash, otadata.offset, selectSlot(before, target, { slotCount, state, ...(idf && { idf }) }));
  return OtaResult.Ok;
}

/** `esp_ota_mark_app_valid_cancel_rollback`: the active entry becomes VALID. False when there is none. */
export function markAppValid({ flash, partitions }: Pick<OtaContext, 'flash' | 'partitions'>): boolean {
  const active = activeEntry(flash.bytes, partitions);
  if (!active) return false;
  if (active.state !== OtaState.Valid) {
    flash.erase(active.offset, FLASH_SECTOR);
    flash.program(active.offset, encodeSelectEntry({ ...active, state: OtaState.Valid }));
  }
  return true;
}

/** Whether this start of the app is its trial: unless it confirms itself, the boot loader goes back. */
export function isOnTrial(flash: Uint8Array, partitions: readonly Partition[]): boolean {
  return activeEntry(flash, partitions)?.state === OtaState.PendingVerify;
}

function activeEntry(flash: Uint8Array, partitions: readonly Partition[]) {
  const partition = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  if (!partition) return undefined;
  const otadata = decodeOtadata(readFlash(flash, partition.offset, OTADATA_SIZE));
  const { activeSector } = chooseBootSlot(otadata, { slotCount: otaSlots(partitions).length, hasFactory: false });
  const entry = activeSector === undefined ? undefined : otadata.entries[activeSector];
  return entry && { ...entry, offset: partition.offset + (activeSector ?? 0) * FLASH_SECTOR };
}

function writeChangedSectors(flash: NorFlash, offset: number, wanted: Uint8Array): void {
  for (let at = 0; at < wanted.length; at += FLASH_SECTOR) {
    const sector = wanted.subarray(at, at + FLASH_SECTOR);
    if (sector.every((byte, index) => flash.bytes[offset + at + index] === byte)) continue;
    flash.erase(offset + at, FLASH_SECTOR);
    flash.program(offset + at, sector);
  }
}
