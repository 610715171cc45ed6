/**
 * What the mask ROM does with the second-stage boot loader: looks at its header, copies its segments to RAM, checks
 * them, and jumps. Texts and order by experiment on an ESP32 and from public boot logs of ESP32-C3 and ESP32-S3.
 */
import { IMAGE_HEADER_SIZE, IMAGE_MAGIC, MAX_SEGMENTS, SEGMENT_HEADER_SIZE } from '#formats/app-image.ts';
import { readU16, readU32, toHex } from '#formats/bytes.ts';
import { FLASH_MODES } from '#formats/chips.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { readFlash } from './flash-bytes.ts';
import { hex8 } from './log-line.ts';
import { type RomFacts } from './boot-rom-facts.ts';

/** What comes of it. After `repeats` the line is printed until the watchdog bites; after `hangs` nothing comes. */
export type LoadOutcome =
  { kind: 'starts'; image: Uint8Array } | { kind: 'repeats'; line: string } | { kind: 'hangs' } | { kind: 'basic' };

export interface BootLoaderLoad {
  /** Console lines without line ends, after the banner and the `rst:` line. */
  lines: string[];
  outcome: LoadOutcome;
}

interface Segment {
  address: number;
  length: number;
  data: Uint8Array;
}

const CHECKSUM_START = 0xef;
const DIGEST_SIZE = 32;

/** Looks for a boot loader where the chip's ROM does. */
export function loadBootLoader(flash: Uint8Array, rom: RomFacts): BootLoaderLoad {
  const header = readFlash(flash, rom.bootloaderOffset, IMAGE_HEADER_SIZE);
  if (header[0] !== IMAGE_MAGIC) {
    return { lines: [], outcome: { kind: 'repeats', line: `invalid header: 0x${hex8(readU32(header, 0))}` } };
  }
  const lines = headerLines(header, rom);
  const chipId = readU16(header, 12);
  if (rom.checksChipId && chipId !== rom.imageChipId) {
    lines.push(`Invalid chip id. Expected ${rom.imageChipId} read ${chipId}. Bootloader for wrong chip?`);
    lines.push(rom.fatalLine);
    return { lines, outcome: { kind: 'hangs' } };
  }
  const segments: Segment[] = [];
  let end = IMAGE_HEADER_SIZE;
  const count = header[1] ?? 0;
  if (count > MAX_SEGMENTS) return { lines, outcome: { kind: 'hangs' } };
  for (let index = 0; index < count; index++) {
    const head = readFlash(flash, rom.bootloaderOffset + end, SEGMENT_HEADER_SIZE);
    const address = readU32(head, 0);
    const length = readU32(head, 4);
    lines.push(`load:0x${hex8(address)},len:${rom.hexLengths ? `0x${length.toString(16)}` : length | 0}`);
    if (length % 4 !== 0 || !rom.canLoad(address, length)) return { lines, outcome: { kind: 'hangs' } };
    const data = readFlash(flash, rom.bootloaderOffset + end + SEGMENT_HEADER_SIZE, length);
    segments.push({ address, length, data });
    end += SEGMENT_HEADER_SIZE + length;
  }
  return judge({ flash, rom, header, segments, end, lines });
}

/** Flash and pin settings of the header, as the ROM repeats them. */
function headerLines(header: Uint8Array, rom: RomFacts): string[] {
  const pins = [9, 10, 11].flatMap((at) => [(header[at] ?? 0) & 0xf, (header[at] ?? 0) >> 4]);
  const names = ['clk_drv', 'q_drv', 'd_drv', 'cs0_drv', 'hd_drv', 'wp_drv'];
  const writeProtect = `SPIWP:0x${(header[8] ?? 0).toString(16).padStart(2, '0')}`;
  const mode = FLASH_MODES[header[2] ?? 0]?.toUpperCase().replace('_', ' ') ?? 'SLOW READ';
  const divider = { 0xf: 1, 0x0: 2, 0x1: 3, 0x2: 4 }[(header[3] ?? 0) & 0xf] ?? 2;
  return [
    ...(rom.printsPins
      ? [`configsip: 0, ${writeProtect}`, pins.map((drive, pin) => `${names[pin]}:0x0${drive.toString(16)}`).join(',')]
      : [writeProtect]),
    `mode:${mode}, clock div:${divider}`,
  ];
}

interface Loaded {
  flash: Uint8Array;
  rom: RomFacts;
  header: Uint8Array;
  segments: Segment[];
  /** Bytes of header and segments. */
  end: number;
  lines: string[];
}

/** Checksum, digest where the ROM looks at it, and the jump. */
function judge({ flash, rom, header, segments, end, lines }: Loaded): BootLoaderLoad {
  let checksum = CHECKSUM_START;
  for (const { data } of segments) for (const byte of data) checksum ^= byte;
  const imageEnd = (end + 16) & ~15;
  const image = readFlash(flash, rom.bootloaderOffset, imageEnd);
  const stored = image[imageEnd - 1] ?? 0;
  if (checksum !== stored) {
    lines.push(`csum err:0x${checksum.toString(16)}!=0x${stored.toString(16)}`);
    if (!rom.hasBasic) return { lines: [...lines, rom.fatalLine], outcome: { kind: 'hangs' } };
    return { lines: [...lines, 'Falling back to built-in command interpreter.', 'OK'], outcome: { kind: 'basic' } };
  }
  // A segment for the flash mapping cannot be loaded (an app was put where the boot loader belongs); without any
  // segment there is no code.
  const stray = segments.length === 0 || segments.some(({ address }) => rom.isMapped(address));
  if (rom.checksDigest && header[23] !== 0) {
    const expected = readFlash(flash, rom.bootloaderOffset + imageEnd, DIGEST_SIZE);
    const calculated = sha256(stray ? image.subarray(0, IMAGE_HEADER_SIZE) : image);
    if (toHex(calculated) !== toHex(expected)) {
      lines.push('SHA-256 comparison failed:', `Calculated: ${toHex(calculated)}`, `Expected: ${toHex(expected)}`);
      lines.push('Attempting to boot anyway...');
    }
  }
  lines.push(`entry 0x${hex8(readU32(header, 4))}`);
  return { lines, outcome: stray ? { kind: 'hangs' } : { kind: 'starts', image } };
}
