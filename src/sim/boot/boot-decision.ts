/**
 * What the second-stage boot loader does with a flash: pure, from bytes to log lines, otadata writes and the app that
 * is started. Source: ESP-IDF `components/bootloader_support/src/bootloader_utility.c`; by experiment with v5.4.2.
 */
import { type AppImage } from '#formats/app-image.ts';
import { readU32 } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { verifyImage } from '#formats/image-verify.ts';
import {
  type BootTarget,
  chooseBootSlot,
  decodeOtadata,
  OTADATA_SIZE,
  type OtadataRewrite,
  rewriteAfterLoading,
} from '#formats/otadata.ts';
import {
  AppSubtype,
  DataSubtype,
  findPartition,
  otaSlots,
  type Partition,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '#formats/partition-table.ts';
import { faultLine, notBootableLine, segmentLines } from './boot-loader-log.ts';
import { readBootTable, tableLines } from './boot-table.ts';
import { readFlash } from './flash-bytes.ts';
import { error, info, type LogLine, warning } from './log-line.ts';
import { FLASH_SECTOR } from '#sim/board/nor-flash.ts';

export interface BootSettings {
  chip: Chip;
  /** major * 100 + minor. */
  chipRevision: number;
  /** Bytes of flash by the boot loader's header: what it believes, not what there is. */
  flashSize: number;
  tableOffset: number;
  rollback: boolean;
}

export type BootStep =
  | { kind: 'log'; line: LogLine }
  /** Flash is read or hashed: so many bytes. */
  | { kind: 'read'; bytes: number }
  /** One sector of otadata is erased and an entry programmed. `offset` is the sector's flash offset. */
  | { kind: 'rewrite'; offset: number; entry: Uint8Array };

export type BootOutcome =
  | { kind: 'app'; target: BootTarget | 'test'; partition: Partition; image: AppImage }
  /** No app can be started: the boot loader resets the chip. */
  | { kind: 'reset' };

export interface BootDecision {
  /** In order; log lines of every level. */
  steps: BootStep[];
  outcome: BootOutcome;
}

/** Decides on a flash of any size; nothing is written to `flash`. */
export function decideBoot(flash: Uint8Array, settings: BootSettings): BootDecision {
  const steps: BootStep[] = [];
  const table = readBootTable(readFlash(flash, settings.tableOffset, PARTITION_TABLE_SIZE), settings.flashSize);
  if (!table.ok) {
    log(steps, error('flash_parts', table.fault));
    log(steps, error('boot', 'Failed to verify partition table'), error('boot', 'load partition table error!'));
    return { steps, outcome: { kind: 'reset' } };
  }
  log(steps, ...tableLines(table.partitions));
  return new Decision(flash, settings, table.partitions, steps).decide();
}

function log(steps: BootStep[], ...lines: LogLine[]): void {
  for (const line of lines) steps.push({ kind: 'log', line });
}

/** The second half: a good table. */
class Decision {
  readonly #flash: Uint8Array;
  readonly #settings: BootSettings;
  readonly #partitions: Partition[];
  readonly #steps: BootStep[];

  constructor(flash: Uint8Array, settings: BootSettings, partitions: Partition[], steps: BootStep[]) {
    this.#flash = flash;
    this.#settings = settings;
    this.#partitions = partitions;
    this.#steps = steps;
  }

  decide(): BootDecision {
    const otadata = findPartition(this.#partitions, PartitionType.Data, DataSubtype.Ota);
    if (otadata && otadata.size < OTADATA_SIZE) {
      const text = `ota_info partition size ${otadata.size} is too small (minimum ${OTADATA_SIZE} bytes)`;
      log(this.#steps, error('boot', text));
      return { steps: this.#steps, outcome: { kind: 'reset' } };
    }
    const entries = otadata && decodeOtadata(readFlash(this.#flash, otadata.offset, OTADATA_SIZE));
    const choice = chooseBootSlot(entries, {
      slotCount: otaSlots(this.#partitions).length,
      hasFactory: this.#find('factory') !== undefined,
      rollback: this.#settings.rollback,
    });
    this.#rewrite(otadata, choice.rewrites);
    if (choice.log) log(this.#steps, { ...choice.log, tag: 'boot' });
    for (const target of choice.order) {
      const image = this.#load(target);
      if (!image) continue;
      const actual = rewriteAfterLoading(choice, target);
      if (actual) {
        log(this.#steps, info('boot', `Set actual ota_seq=${readU32(actual.bytes, 0)} in otadata[0]`));
        this.#rewrite(otadata, [actual]);
      }
      return this.#start(target, image);
    }
    return this.#lastResort();
  }

  /** A test app, or the end. */
  #lastResort(): BootDecision {
    const image = this.#load('test');
    if (image) {
      log(this.#steps, warning('boot', 'Falling back to test app as only bootable partition'));
      return this.#start('test', image);
    }
    log(this.#steps, error('boot', 'No bootable app partitions in the partition table'));
    return { steps: this.#steps, outcome: { kind: 'reset' } };
  }

  #start(target: BootTarget | 'test', image: AppImage): BootDecision {
    log(this.#steps, info('boot', 'Disabling RNG early entropy source...'));
    return { steps: this.#steps, outcome: { kind: 'app', target, partition: this.#find(target)!, image } };
  }

  /** A hole in the row of OTA slots, or no test app: nothing is tried and nothing said. */
  #find(target: BootTarget | 'test'): Partition | undefined {
    const subtype =
      target === 'factory' ? AppSubtype.Factory : target === 'test' ? AppSubtype.Test : AppSubtype.Ota0 + target;
    const found = findPartition(this.#partitions, PartitionType.App, subtype);
    return found && found.size > 0 ? found : undefined;
  }

  #load(target: BootTarget | 'test'): AppImage | undefined {
    const partition = this.#find(target);
    if (!partition) return undefined;
    const { offset, size } = partition;
    const room = Math.max(size, this.#flash.length - offset);
    const verdict = verifyImage(readFlash(this.#flash, offset, room), {
      chipId: this.#settings.chip.imageChipId,
      chipRevision: this.#settings.chipRevision,
      partitionSize: size,
      partitionOffset: offset,
    });
    if (!verdict.ok) {
      log(this.#steps, faultLine(verdict, offset), notBootableLine(target));
      return undefined;
    }
    log(this.#steps, ...segmentLines(verdict.image, offset));
    this.#steps.push({ kind: 'read', bytes: verdict.image.length });
    log(this.#steps, info('boot', `Loaded app from partition at offset 0x${offset.toString(16)}`));
    return verdict.image;
  }

  #rewrite(otadata: Partition | undefined, rewrites: readonly OtadataRewrite[]): void {
    if (!otadata) return;
    for (const { sector, bytes } of rewrites) {
      this.#steps.push({ kind: 'rewrite', offset: otadata.offset + sector * FLASH_SECTOR, entry: bytes });
    }
  }
}
