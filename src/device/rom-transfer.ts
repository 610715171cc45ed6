/**
 * One transfer to or from the flash through the loader in ROM, for boards on which no stub runs. Without any second try (persist.ts
 * has those). By experiment with the mask ROMs of ESP32 and ESP32-C3; the layout of BEGIN on the other chips as esptool sends it.
 *
 * The ROM erases all of a transfer at its BEGIN, programs each block before it answers, and takes no command in between. It has no
 * command to end a transfer that does not leave the loader as well, so none is sent. A block that arrives damaged cannot be sent
 * again: the ROM counts it, refuses it under its own number, and would put it in the wrong place under the next one.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { alignDown, concatBytes, toHex } from '#formats/bytes.ts';
import { type Chip, type ChipName } from '#formats/chips.ts';
import { DeviceError } from './device-error.ts';
import { BLOCK_SIZE, type FlashRange, SECTOR_SIZE } from './flash-memory.ts';
import { BASE_MS, eraseMs, MD5_MS_PER_BYTE, programMs } from './flash-times.ts';
import { blockChecksum, type LoaderCommands, Op, words } from './loader-commands.ts';
import { type LoaderFlash, type ReadTransfer, type WriteTransfer } from './loader-flash.ts';

/** Bytes of flash that the ROM reaches: its addresses have three bytes, and begin anew above that (esptool `troubleshooting.rst`). */
export const ROM_REACH = 0x100_0000;
/** Most bytes of a block that the ROM takes. */
export const ROM_BLOCK = 0x1800;
/** As much as is erased at once: that is lost when a block arrives damaged. */
const TRANSFER = BLOCK_SIZE;
/** After a failure, and of what is read and compared. */
const SMALL_TRANSFER = SECTOR_SIZE;
/** Bytes of one read, always; a command and an answer of some 100 bytes: 6 KB/s at 115200 baud, 20 to 30 KB/s at 921600. */
const READ_BYTES = 64;
/** Bytes of a digest in hexadecimal digits. */
const DIGITS = 32;

/**
 * Where compressed data are written as they should be. Not on the ESP32: it writes its whole window of 32 KB at the end of a stream,
 * and nothing where that does not fit the flash. Not known of the others.
 */
const INFLATES: ReadonlySet<ChipName> = new Set<ChipName>(['esp32c3']);

/** The flash through the ROM; `blockSize`: bytes of one block of a write, at most `ROM_BLOCK`. */
export const romFlash = (commands: LoaderCommands, chip: Chip, blockSize = ROM_BLOCK): LoaderFlash => ({
  units: { write: TRANSFER, read: SMALL_TRANSFER, retry: SMALL_TRANSFER },
  inflates: INFLATES.has(chip.name),
  write: (transfer) => writeTransfer(commands, transfer, { chip, blockSize }),
  erase: (range) => eraseTransfer(commands, range, { chip, blockSize }),
  md5: (range) => md5Transfer(commands, range),
  read: (transfer) => readTransfer(commands, transfer),
});

interface RomTraits {
  chip: Chip;
  blockSize: number;
}

async function writeTransfer(
  commands: LoaderCommands,
  { offset, packed, onShare }: WriteTransfer,
  { chip, blockSize }: RomTraits,
): Promise<void> {
  const { body, length, compressed } = packed;
  const blocks = Math.ceil(body.length / blockSize);
  const begin = { length, blocks, blockSize, offset };
  await beginTransfer(commands, begin, { chip, op: compressed ? Op.DeflateBegin : Op.FlashBegin });
  for (let index = 0; index < blocks; index++) {
    // Never longer than the data: what follows the end of a zlib stream kills the ROM.
    const block = body.subarray(index * blockSize, (index + 1) * blockSize);
    const lineMs = (block.length * 11_000) / commands.link.baudrate;
    await commands.command(
      compressed ? Op.DeflateData : Op.FlashData,
      concatBytes(words(block.length, index, 0, 0), block),
      { checksum: blockChecksum(block), timeoutMs: BASE_MS + programMs(length) + 2 * lineMs },
    );
    onShare((index + 1) / blocks);
  }
}

/** What a transfer erases at its beginning, without the data. The next BEGIN starts anew. */
async function eraseTransfer(
  commands: LoaderCommands,
  { offset, length }: FlashRange,
  { chip, blockSize }: RomTraits,
): Promise<void> {
  const begin = { length, blocks: Math.ceil(length / blockSize), blockSize, offset };
  await beginTransfer(commands, begin, { chip, op: Op.FlashBegin });
}

/** When it fails, the ROM would take data all the same and write them without an erase: whoever calls must send none. */
async function beginTransfer(
  commands: LoaderCommands,
  { length, blocks, blockSize, offset }: FlashRange & { blocks: number; blockSize: number },
  { chip, op }: { chip: Chip; op: number },
): Promise<void> {
  // Exactly so long: the ESP32 refuses the word for encrypted writes, all others miss it.
  const payload = words(length, blocks, blockSize, offset, ...(chip.name === 'esp32' ? [] : [0]));
  await commands.command(op, payload, { timeoutMs: BASE_MS + eraseMs(length) });
}

/** A digest that fails comes with the digits of an older one in front of its status, which `command` reads first. */
async function md5Transfer(commands: LoaderCommands, { offset, length }: FlashRange): Promise<string> {
  const timeoutMs = BASE_MS + MD5_MS_PER_BYTE * length;
  const { data } = await commands.command(Op.Md5, words(offset, length, 0, 0), { timeoutMs, dataLength: DIGITS });
  const digits = String.fromCharCode(...data).toLowerCase();
  if (/^[0-9a-f]{32}$/.test(digits)) return digits;
  throw new DeviceError('bad-reply', 'A digest is not in hexadecimal digits', { details: { offset, length } });
}

async function readTransfer(commands: LoaderCommands, { into, offset, onRead }: ReadTransfer): Promise<void> {
  const end = offset + into.length;
  // Whole words: the ROM rounds lengths up, and at the end of the flash that would be too far.
  for (let at = alignDown(offset, 4); at < end; at += READ_BYTES) {
    const length = Math.min(READ_BYTES, end - at);
    const whole = length + (-length & 3);
    const { data } = await commands.command(Op.ReadFlashSlow, words(at, whole), { dataLength: READ_BYTES });
    const skipped = Math.max(0, offset - at);
    into.set(data.subarray(skipped, length), at + skipped - offset);
    onRead(at + length - offset);
  }
  if ((await md5Transfer(commands, { offset, length: into.length })) === toHex(md5(into))) return;
  throw new DeviceError('read-corrupt', 'What was read differs from what the board has', {
    details: { offset, length: into.length },
  });
}
