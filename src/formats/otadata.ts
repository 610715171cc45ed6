/**
 * OTA data partition: which app slot the boot loader starts next.
 *
 * Two flash sectors hold one 32-byte select entry each; the entry with the higher valid sequence number wins.
 * Layout: `esp_ota_select_entry_t` in ESP-IDF, components/bootloader_support/include/esp_flash_partitions.h
 * (sequence u32, label[20], state u32, CRC u32 over the sequence alone); the choice: src/bootloader_utility.c and
 * src/bootloader_common_loader.c there. What changes it: `otadata-changes.ts`.
 */
import { isBlank, padBytes, readU32, viewOf } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { FormatError } from './format-error.ts';

/** Size in bytes of one select entry. */
export const SELECT_ENTRY_SIZE = 32;
/** Size in bytes of the otadata partition: two sectors, each beginning with an entry. */
export const OTADATA_SIZE = 0x2000;

/** Size in bytes of one of its sectors. */
export const OTADATA_SECTOR = 0x1000;

const LABEL_OFFSET = 4;
const STATE_OFFSET = 24;
const CRC_OFFSET = 28;
/** The sequence of an erased sector, and the state of an entry that was written without rollback. */
const ERASED = 0xffff_ffff;

export const OtaState = {
  /** Not started yet (written with rollback enabled). */
  New: 0x0,
  /** Started once; counts as failed at the next start unless the app confirms itself. */
  PendingVerify: 0x1,
  Valid: 0x2,
  Invalid: 0x3,
  Aborted: 0x4,
  /** Written without rollback; as good as valid. */
  Undefined: 0xffff_ffff,
} as const;
/** One of the named states; other numbers are treated as good by the boot loader and kept as they are. */
export type OtaState = (typeof OtaState)[keyof typeof OtaState];

/** ESP-IDF's names of the states, without `ESP_OTA_IMG_`. */
export const OTA_STATE_NAMES: ReadonlyMap<number, string> = new Map([
  [OtaState.New, 'NEW'],
  [OtaState.PendingVerify, 'PENDING_VERIFY'],
  [OtaState.Valid, 'VALID'],
  [OtaState.Invalid, 'INVALID'],
  [OtaState.Aborted, 'ABORTED'],
  [OtaState.Undefined, 'UNDEFINED'],
]);

export interface OtaSelectEntry {
  /** 1-based update counter; the slot index is `(sequence - 1) % slotCount`. */
  sequence: number;
  state: OtaState;
  /** The 20 bytes that nobody uses; missing when they are all FF. */
  label?: Uint8Array;
}

export interface DecodedSelectEntry extends OtaSelectEntry {
  crcOk: boolean;
  /** The CRC as it is stored; only there when it is wrong. */
  wrongCrc?: number;
}

/** Both entries as they are; `undefined` for an erased sector. */
export interface Otadata {
  entries: readonly [DecodedSelectEntry | undefined, DecodedSelectEntry | undefined];
}

function sequenceCrc(sequence: number): number {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, sequence, true);
  return crc32(bytes);
}

/** The words of an entry, of an erased one too. */
export interface RawSelectEntry {
  sequence: number;
  state: number;
  /** 20 bytes. */
  label: Uint8Array;
  crc: number;
  /** Never for the sequence of an erased sector. */
  crcOk: boolean;
}

/**
 * Reads an entry word by word.
 *
 * @throws {FormatError} `otadata-too-short` for less than 32 bytes.
 */
export function readSelectEntry(bytes: Uint8Array): RawSelectEntry {
  if (bytes.length < SELECT_ENTRY_SIZE) {
    throw new FormatError(
      'otadata-too-short',
      `An OTA select entry has ${SELECT_ENTRY_SIZE} bytes, not ${bytes.length}`,
    );
  }
  const sequence = readU32(bytes, 0);
  const crc = readU32(bytes, CRC_OFFSET);
  return {
    sequence,
    state: readU32(bytes, STATE_OFFSET),
    label: bytes.slice(LABEL_OFFSET, STATE_OFFSET),
    crc,
    crcOk: sequence !== ERASED && crc === sequenceCrc(sequence),
  };
}

/**
 * Reads one entry as it is. A wrong CRC is reported, not thrown: recovery must be able to show it.
 * `undefined` for an erased sector.
 *
 * @throws {FormatError} `otadata-too-short` for less than 32 bytes.
 */
export function decodeSelectEntry(bytes: Uint8Array): DecodedSelectEntry | undefined {
  const { sequence, state, label, crc, crcOk } = readSelectEntry(bytes);
  if (sequence === ERASED) return undefined;
  return {
    sequence,
    state: state as OtaState,
    crcOk,
    ...(crcOk ? {} : { wrongCrc: crc }),
    ...(isBlank(label) ? {} : { label }),
  };
}

/**
 * The 32 bytes of an entry, with the right CRC.
 *
 * @throws {FormatError} `otadata-bad-sequence` unless 0 to 0xFFFFFFFE, `otadata-bad-label` unless 20 bytes.
 */
export function encodeSelectEntry({ sequence, state, label }: OtaSelectEntry): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(sequence) || sequence < 0 || sequence >= ERASED) {
    throw new FormatError('otadata-bad-sequence', `${sequence} is no sequence number: 0 to 0xfffffffe`);
  }
  if (label && label.length !== STATE_OFFSET - LABEL_OFFSET) {
    throw new FormatError('otadata-bad-label', `The label of an entry has 20 bytes, not ${label.length}`);
  }
  const bytes = new Uint8Array(SELECT_ENTRY_SIZE).fill(0xff);
  const view = viewOf(bytes);
  view.setUint32(0, sequence, true);
  if (label) bytes.set(label, LABEL_OFFSET);
  view.setUint32(STATE_OFFSET, state, true);
  view.setUint32(CRC_OFFSET, sequenceCrc(sequence), true);
  return bytes;
}

/**
 * Reads the partition; what lies behind the two sectors is ignored.
 *
 * @throws {FormatError} `otadata-too-short` for less than 0x2000 bytes.
 */
export function decodeOtadata(bytes: Uint8Array): Otadata {
  if (bytes.length < OTADATA_SIZE) {
    throw new FormatError('otadata-too-short', `otadata has ${OTADATA_SIZE} bytes, not ${bytes.length}`);
  }
  return { entries: [decodeSelectEntry(bytes), decodeSelectEntry(bytes.subarray(OTADATA_SECTOR))] };
}

/** What `encodeOtadata` shall write: a slot of the table, a sequence number, or both entries outright. */
export type OtadataContent =
  | { slot: number; slotCount: number; state?: OtaState }
  | { sequence: number; state?: OtaState }
  | { entries: readonly [OtaSelectEntry | undefined, OtaSelectEntry | undefined] };

/**
 * The 8192 bytes of an otadata partition. A slot or a sequence is put into the first sector and the second stays erased,
 * so that no older entry can win; its state is VALID unless told, which spares it the trial start of a boot loader with
 * rollback. `{ entries: [undefined, undefined] }` is the blank partition of a fresh build.
 *
 * @throws {FormatError} `otadata-bad-slot`, `otadata-bad-sequence`, `otadata-bad-label`.
 */
export function encodeOtadata(content: OtadataContent): Uint8Array<ArrayBuffer> {
  if ('entries' in content) {
    const bytes = padBytes(new Uint8Array(0), OTADATA_SIZE);
    content.entries.forEach((entry, sector) => {
      if (entry) bytes.set(encodeSelectEntry(entry), sector * OTADATA_SECTOR);
    });
    return bytes;
  }
  const state = content.state ?? OtaState.Valid;
  if ('sequence' in content) return encodeOtadata({ entries: [{ sequence: content.sequence, state }, undefined] });
  checkSlot(content.slot, content.slotCount);
  return encodeOtadata({ entries: [{ sequence: content.slot + 1, state }, undefined] });
}

/** @throws {FormatError} `otadata-bad-slot` unless the table, of at most 16 OTA slots, has that one. */
export function checkSlot(slot: number, slotCount: number): void {
  if (!Number.isInteger(slot) || !Number.isInteger(slotCount) || slot < 0 || slotCount > 16 || slot >= slotCount) {
    throw new FormatError('otadata-bad-slot', `There is no OTA slot ${slot} in a table with ${slotCount} of them`);
  }
}

/** An app that the boot loader may start: the factory app, or the number of an OTA slot. */
export type BootTarget = 'factory' | number;

export type BootReason =
  /** The table has no otadata partition. */
  | 'no-otadata'
  /** No entry is in use (or the table has no OTA slot): the factory app. */
  | 'nothing-selected-factory'
  /** The same without a factory app: the first OTA slot. */
  | 'nothing-selected-no-factory'
  /** A good entry selects an OTA slot. */
  | 'selected'
  /** An entry is in use but none is good (wrong CRC): the factory app. */
  | 'bad-otadata-factory'
  /** The same without a factory app: all slots are tried from the first. */
  | 'bad-otadata-no-factory';

/** An entry that the boot loader writes: the sector is erased, then the 32 bytes are programmed at its start. */
export interface OtadataRewrite {
  sector: 0 | 1;
  bytes: Uint8Array;
  /** `aborted`: its trial start was not confirmed; `first-start`: its trial start comes now; `actual`: what blank otadata led to. */
  why: 'aborted' | 'first-start' | 'actual';
}

export interface BootChoice {
  reason: BootReason;
  /** Sector of the entry that decided, when one did. */
  activeSector: 0 | 1 | undefined;
  /** In which order apps are tried until one is good; only those that the table has. After them comes a test app. */
  order: BootTarget[];
  /** Both sectors were unused: once an OTA slot has loaded, the boot loader writes it down, see `rewriteAfterLoading`. */
  initialContents: boolean;
  /** What the boot loader writes before it loads an app (only with rollback). */
  rewrites: OtadataRewrite[];
  /** What it prints about the choice, if anything: level and text. */
  log: { level: 'I' | 'E'; text: string } | undefined;
}

const BOOT_LOG: Record<BootReason, BootChoice['log']> = {
  'no-otadata': undefined,
  'nothing-selected-factory': { level: 'I', text: 'Defaulting to factory image' },
  'nothing-selected-no-factory': { level: 'I', text: 'No factory image, trying OTA 0' },
  selected: undefined,
  'bad-otadata-factory': { level: 'E', text: 'ota data partition invalid, falling back to factory' },
  'bad-otadata-no-factory': {
    level: 'E',
    text: 'ota data partition invalid and no factory, will try all partitions',
  },
};

export interface BootTableFacts {
  /** Number of OTA slots in the table. */
  slotCount: number;
  hasFactory: boolean;
  /** The boot loader was built with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE. */
  rollback?: boolean;
}

const isUnused = (entry: OtaSelectEntry | undefined): boolean =>
  entry === undefined || entry.state === OtaState.Invalid || entry.state === OtaState.Aborted;

/** The sector of the entry that counts: a good one, of two the higher sequence, of two equal ones the first. */
export function activeSector([first, second]: Otadata['entries']): 0 | 1 | undefined {
  const firstGood = !isUnused(first) && first?.crcOk;
  const secondGood = !isUnused(second) && second?.crcOk;
  if (firstGood && secondGood) return second.sequence > first.sequence ? 1 : 0;
  if (firstGood) return 0;
  return secondGood ? 1 : undefined;
}

/** The slot that a sequence number means, in unsigned 32-bit arithmetic: 0 wraps round. */
export const slotOfSequence = (sequence: number, slotCount: number): number => ((sequence - 1) >>> 0) % slotCount;

/**
 * What the second-stage boot loader does with this otadata (`undefined`: the table has no such partition).
 * Without anti-rollback, which nothing here can see. A slot that cannot be loaded is passed over: see `order`.
 */
export function chooseBootSlot(otadata: Otadata | undefined, table: BootTableFacts): BootChoice {
  const { slotCount, hasFactory, rollback = false } = table;
  if (!otadata) return choice('no-otadata', 'factory', table);
  const { entries, rewrites } = rollback ? abortUnconfirmed(otadata) : { entries: otadata.entries, rewrites: [] };
  if (entries.every(isUnused) || slotCount === 0) {
    if (hasFactory) return { ...choice('nothing-selected-factory', 'factory', table), rewrites };
    const initialContents = entries.every((entry) => !entry?.crcOk);
    return { ...choice('nothing-selected-no-factory', 0, table), rewrites, initialContents };
  }
  const sector = activeSector(entries);
  const active = sector === undefined ? undefined : entries[sector];
  if (sector === undefined || !active) {
    const reason = hasFactory ? 'bad-otadata-factory' : 'bad-otadata-no-factory';
    return { ...choice(reason, 'factory', table), rewrites };
  }
  if (rollback && active.state === OtaState.New) {
    rewrites.push({ sector, bytes: withState(active, OtaState.PendingVerify), why: 'first-start' });
  }
  const slot = slotOfSequence(active.sequence, slotCount);
  return { ...choice('selected', slot, table), rewrites, activeSector: sector };
}

function choice(reason: BootReason, start: BootTarget, table: BootTableFacts): BootChoice {
  return {
    reason,
    activeSector: undefined,
    order: bootOrder(start, table),
    initialContents: false,
    rewrites: [],
    log: BOOT_LOG[reason],
  };
}

/** From the start downwards to the factory app, then upwards from the one after the start. */
function bootOrder(start: BootTarget, { slotCount, hasFactory }: BootTableFacts): BootTarget[] {
  const first = start === 'factory' ? -1 : Math.min(start, slotCount - 1);
  const down = Array.from({ length: first + 1 }, (_, index) => first - index);
  const up = Array.from({ length: slotCount - first - 1 }, (_, index) => first + 1 + index);
  return [...down, ...(hasFactory ? (['factory'] as const) : []), ...up];
}

/** With rollback, every entry whose trial start was not confirmed is aborted first, a bad one too. */
function abortUnconfirmed({ entries }: Otadata): { entries: Otadata['entries']; rewrites: OtadataRewrite[] } {
  const rewrites: OtadataRewrite[] = [];
  const abort = (sector: 0 | 1): DecodedSelectEntry | undefined => {
    const entry = entries[sector];
    if (entry?.state !== OtaState.PendingVerify) return entry;
    rewrites.push({ sector, bytes: withState(entry, OtaState.Aborted), why: 'aborted' });
    return { ...entry, state: OtaState.Aborted };
  };
  return { entries: [abort(0), abort(1)], rewrites };
}

/** The bytes of an entry with another state; the boot loader does not look at the CRC then, a wrong one stays wrong. */
function withState(entry: DecodedSelectEntry, state: OtaState): Uint8Array {
  const bytes = encodeSelectEntry({ ...entry, state });
  if (entry.wrongCrc !== undefined) viewOf(bytes).setUint32(CRC_OFFSET, entry.wrongCrc, true);
  return bytes;
}

/**
 * What the boot loader writes once `loaded` has been loaded: blank otadata is not blank any more after the first start
 * of an OTA slot. It prints `Set actual ota_seq=N in otadata[0]` (level I) with it.
 */
export function rewriteAfterLoading({ initialContents }: BootChoice, loaded: BootTarget): OtadataRewrite | undefined {
  if (!initialContents || loaded === 'factory') return undefined;
  const bytes = encodeSelectEntry({ sequence: loaded + 1, state: OtaState.Valid });
  return { sector: 0, bytes, why: 'actual' };
}
