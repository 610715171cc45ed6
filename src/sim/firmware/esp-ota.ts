/**
 * `esp_ota_begin`, `esp_ota_write` and `esp_ota_end` on the virtual flash. Source: ESP-IDF components/app_update/esp_ota_ops.c, by
 * version. Every call takes the time that the flash is busy.
 */
import { alignUp, hexAddress } from '#formats/bytes.ts';
import { IMAGE_MAGIC } from '#formats/app-image.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { otaSlots, type Partition, PartitionType } from '#formats/partition-table.ts';
import { FLASH_BLOCK, FLASH_SECTOR } from '#sim/board/nor-flash.ts';
import { faultLine } from '#sim/boot/boot-loader-log.ts';
import { readFlash } from '#sim/boot/flash-bytes.ts';
import { error, hex2, type LogLine } from '#sim/boot/log-line.ts';
import { isOnTrial, type OtaContext } from './app-ota.ts';
import { type Task } from './task.ts';

/** Numbers of `esp_err_t` that an update can end with. */
export const EspError = {
  Ok: 0,
  Fail: -1,
  InvalidArgument: 0x102,
  InvalidSize: 0x104,
  NotFound: 0x105,
  InvalidVersion: 0x10a,
  PartitionConflict: 0x1501,
  ValidateFailed: 0x1503,
  RollbackInvalidState: 0x1506,
  InProgress: 0x9001,
} as const;
export type EspError = (typeof EspError)[keyof typeof EspError];

const NAMES: Record<EspError, string> = {
  [EspError.Ok]: 'ESP_OK',
  [EspError.Fail]: 'ESP_FAIL',
  [EspError.InvalidArgument]: 'ESP_ERR_INVALID_ARG',
  [EspError.InvalidSize]: 'ESP_ERR_INVALID_SIZE',
  [EspError.NotFound]: 'ESP_ERR_NOT_FOUND',
  [EspError.InvalidVersion]: 'ESP_ERR_INVALID_VERSION',
  [EspError.PartitionConflict]: 'ESP_ERR_OTA_PARTITION_CONFLICT',
  [EspError.ValidateFailed]: 'ESP_ERR_OTA_VALIDATE_FAILED',
  [EspError.RollbackInvalidState]: 'ESP_ERR_OTA_ROLLBACK_INVALID_STATE',
  [EspError.InProgress]: 'ESP_ERR_HTTPS_OTA_IN_PROGRESS',
};

export const espErrorName = (code: EspError): string => NAMES[code];
/** As the firmware's `0x%x` prints it. */
export const espErrorHex = (code: EspError): string => hexAddress(code >>> 0);

/** How the slot is erased: sector by sector while it is written, all of it at once, or as much as the image needs. */
export type OtaErase = 'sequential' | 'whole' | { readonly bytes: number };

export interface OtaWriterOptions {
  readonly task: Task;
  readonly context: OtaContext;
  readonly running: Partition;
  readonly target: Partition;
  readonly erase: OtaErase;
  /** 4.4.0–4.4.6, 5.0.0–5.0.5, 5.1.0–5.1.2: one sector too many is erased behind what ends at a sector's border. */
  readonly erasesSectorTooMany: boolean;
  /** From 5.5 on a download into a partition that is no app is not checked. */
  readonly checked: boolean;
  readonly say: (...lines: LogLine[]) => Promise<void>;
}

/** Bytes of flash that are hashed in a millisecond. */
const HASHED_PER_MS = 2700;

/** `esp_ota_get_next_update_partition`: the slot behind the running one, from factory the first one. */
export function nextUpdatePartition(partitions: readonly Partition[], running: Partition): Partition | undefined {
  const slots = otaSlots(partitions);
  const at = slots.findIndex(({ type, subtype }) => type === running.type && subtype === running.subtype);
  return slots[(at + 1) % slots.length];
}

export class OtaWriter {
  readonly #options: OtaWriterOptions;
  #written = 0;

  constructor(options: OtaWriterOptions) {
    this.#options = options;
  }

  async begin(): Promise<EspError> {
    const { context, running, target, erase, say } = this.#options;
    if (target.type !== PartitionType.App) return EspError.InvalidArgument;
    if (target.offset === running.offset) return EspError.PartitionConflict;
    if (context.rollback && isOnTrial(context.flash.bytes, context.partitions)) {
      await say(error('esp_ota_ops', 'Running app has not confirmed state (ESP_OTA_IMG_PENDING_VERIFY)'));
      return EspError.RollbackInvalidState;
    }
    if (erase === 'sequential') return EspError.Ok;
    return this.#erase(0, erase === 'whole' ? target.size : alignUp(erase.bytes, FLASH_SECTOR));
  }

  async write(bytes: Uint8Array): Promise<EspError> {
    const { task, context, target, erase, checked, say } = this.#options;
    if (erase === 'sequential') {
      const erased = await this.#eraseFor(bytes.length);
      if (erased !== EspError.Ok) return erased;
    }
    if (checked && this.#written === 0 && bytes.length > 0 && bytes[0] !== IMAGE_MAGIC) {
      const text = `OTA image has invalid magic byte (expected 0xE9, saw 0x${hex2(bytes[0] ?? 0)})`;
      await say(error('esp_ota_ops', text));
      return EspError.ValidateFailed;
    }
    if (this.#written + bytes.length > target.size) return EspError.InvalidSize;
    await task.sleep(context.flash.program(target.offset + this.#written, bytes));
    this.#written += bytes.length;
    return EspError.Ok;
  }

  /** Looks at what lies in the slot now. Nothing is taken back, whatever comes of it. */
  async end(): Promise<EspError> {
    const { task, context, target, checked, say } = this.#options;
    if (this.#written === 0) return EspError.InvalidArgument;
    if (!checked) return EspError.Ok;
    const { chipId, chipRevision, flash } = context;
    const { offset, size } = target;
    const verdict = verifyImage(readFlash(flash.bytes, offset, Math.max(size, flash.size - offset)), {
      chipId,
      chipRevision,
      partitionSize: size,
      partitionOffset: offset,
    });
    await task.sleep((verdict.ok ? verdict.image.length : this.#written) / HASHED_PER_MS);
    if (verdict.ok) return EspError.Ok;
    await say(faultLine(verdict, offset));
    return EspError.ValidateFailed;
  }

  async #eraseFor(length: number): Promise<EspError> {
    const first = Math.floor(this.#written / FLASH_SECTOR);
    const end = this.#written + length - (this.#options.erasesSectorTooMany ? 0 : 1);
    const last = Math.floor(end / FLASH_SECTOR);
    if (this.#written % FLASH_SECTOR === 0) return this.#erase(first * FLASH_SECTOR, (last - first + 1) * FLASH_SECTOR);
    return first === last ? EspError.Ok : this.#erase((first + 1) * FLASH_SECTOR, (last - first) * FLASH_SECTOR);
  }

  /** `esp_partition_erase_range`: nothing is erased of a range that does not fit. */
  async #erase(start: number, length: number): Promise<EspError> {
    const { task, context, target } = this.#options;
    if (start > target.size) return EspError.InvalidArgument;
    if (start + length > target.size) return EspError.InvalidSize;
    for (let at = start; at < start + length;) {
      const unit =
        (target.offset + at) % FLASH_BLOCK === 0 && start + length - at >= FLASH_BLOCK ? FLASH_BLOCK : FLASH_SECTOR;
      await task.sleep(context.flash.erase(target.offset + at, unit));
      at += unit;
    }
    return EspError.Ok;
  }
}
