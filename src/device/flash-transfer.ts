/**
 * One transfer to or from the flash through the stub, without any second try (persist.ts has those).
 * What the stub of esptool-js 0.7.0 does with each command: experiments with it, see the header of bootloader.ts.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { concatBytes, equalBytes, toHex } from '#formats/bytes.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type FlashRange } from './flash-memory.ts';
import { BASE_MS, eraseMs, MD5_MS_PER_BYTE, programMs } from './flash-times.ts';
import { blockChecksum, type CommandAhead, type LoaderCommands, Op, words } from './loader-commands.ts';
import { type LoaderFlash, type ReadTransfer, type WriteTransfer } from './loader-flash.ts';

/**
 * Stub codes for a block that was not used, because it did not arrive as it was sent: length of the frame (C0), checksum
 * (C1), length word and body (C9). The codes of work that failed late are others.
 */
const NOT_USED = new Set([0xc0, 0xc1, 0xc9]);
const BLOCK_TRIES = 4;

/** How much more than the average of its transfer one block may expand to. */
const UNEVENNESS = 4;

/** Bytes of a frame of a read; the stub takes no more. */
const READ_FRAME = 0x1000;

/** Bytes of one transfer. Between two of them the line rests, so they are long. */
const TRANSFER = 0x10_0000;
const READ_REGION = 0x4_0000;
const RETRY = 0x1_0000;

/** The flash through the stub; `blockSize`: bytes of one block of a write. */
export const stubFlash = (commands: LoaderCommands, blockSize: number): LoaderFlash => ({
  units: { write: TRANSFER, read: READ_REGION, retry: RETRY },
  inflates: true,
  write: (transfer) => writeTransfer(commands, transfer, blockSize),
  erase: ({ offset, length }) => eraseTransfer(commands, offset, length),
  md5: (range) => md5Transfer(commands, range),
  md5Each: (ranges, onDigest) =>
    commands.commandsAhead(Op.Md5, ranges.map(md5Command), ({ data }) => onDigest(toHex(data))),
  read: (transfer) => readTransfer(commands, transfer),
});

/** `command-refused` may also be for what the stub found out too late for the block concerned. */
async function writeTransfer(
  commands: LoaderCommands,
  { offset, packed, onShare }: WriteTransfer,
  blockSize: number,
): Promise<void> {
  const { body, length, compressed } = packed;
  const ops = compressed
    ? { begin: Op.DeflateBegin, block: Op.DeflateData, end: Op.DeflateEnd }
    : { begin: Op.FlashBegin, block: Op.FlashData, end: Op.FlashEnd };
  const blocks = Math.ceil(body.length / blockSize);
  const most = Math.min(length, (UNEVENNESS * length) / blocks);
  const timeoutMs = BASE_MS + eraseMs(most) + programMs(most);

  await commands.command(ops.begin, words(length, blocks, blockSize, offset), { timeoutMs });
  for (let index = 0; index < blocks; index++) {
    const block = body.subarray(index * blockSize, (index + 1) * blockSize);
    await sendBlock(commands, { op: ops.block, block, index, timeoutMs });
    // Taken, not yet written: the last block counts when all is.
    if (index + 1 < blocks) onShare((index + 1) / blocks);
  }
  // The stub answers before it writes. The error of the last block comes with the next command, which is not executed then; this one
  // also tells when not just so many bytes were written as were announced, be it that the announcement arrived damaged.
  await commands.command(ops.end, words(1), { timeoutMs });
}

async function sendBlock(
  commands: LoaderCommands,
  { op, block, index, timeoutMs }: { op: number; block: Uint8Array; index: number; timeoutMs: number },
): Promise<void> {
  const payload = concatBytes(words(block.length, index, 0, 0), block);
  const checksum = blockChecksum(block);
  const lineMs = (payload.length * 11_000) / commands.link.baudrate;
  for (let attempt = 1; ; attempt++) {
    try {
      await commands.command(op, payload, { checksum, timeoutMs: timeoutMs + 2 * lineMs });
      return;
    } catch (error) {
      // The stub does not look at sequence numbers: only a block that it surely did not use may be sent again.
      const notUsed = isDeviceError(error, 'command-refused') && NOT_USED.has(error.details.status ?? 0);
      if (!notUsed || attempt >= BLOCK_TRIES) throw error;
    }
  }
}

/** Both numbers are multiples of 4096 inside the chip, which the stub does not check. */
async function eraseTransfer(commands: LoaderCommands, offset: number, length: number): Promise<void> {
  await commands.command(Op.EraseRegion, words(offset, length), {
    timeoutMs: BASE_MS + eraseMs(length),
  });
}

async function md5Transfer(commands: LoaderCommands, range: FlashRange): Promise<string> {
  const { payload, ...options } = md5Command(range);
  return toHex((await commands.command(Op.Md5, payload, options)).data);
}

const md5Command = ({ offset, length }: FlashRange): CommandAhead => ({
  payload: words(offset, length, 0, 0),
  timeoutMs: BASE_MS + MD5_MS_PER_BYTE * length,
  dataLength: 16,
});

/**
 * Reads a range and compares it with the digest that the stub sends at the end.
 *
 * @throws {DeviceError} `read-corrupt`, `bad-reply`, `no-reply`, `command-refused`.
 */
export async function readTransfer(commands: LoaderCommands, { into, offset, onRead }: ReadTransfer): Promise<void> {
  const { link } = commands;
  const lineMs = (READ_FRAME * 11_000) / link.baudrate;
  const timeoutMs = 1000 + 2 * lineMs;
  await commands.command(Op.ReadFlash, words(offset, into.length, READ_FRAME, 1), { timeoutMs });
  for (let received = 0; received < into.length;) {
    const length = Math.min(READ_FRAME, into.length - received);
    // The stub sends one frame and waits for its acknowledge. Given while the frame comes in, it is there when the frame is out, and the
    // line never rests. Not for the last one, behind which comes the digest.
    const ahead = received + length < into.length;
    if (ahead) {
      await link.frameBegins(timeoutMs);
      await commands.sendFrame(words(received + length));
    }
    const frame = await link.read(timeoutMs);
    if (frame.length !== length) {
      throw new DeviceError('bad-reply', `A frame of ${frame.length} bytes came`, { details: { offset } });
    }
    into.set(frame, received);
    received += length;
    if (!ahead) await commands.sendFrame(words(received));
    else onRead(received);
  }
  // Left unread it would be in the way of the next command.
  const digest = await link.read(timeoutMs);
  if (!equalBytes(digest, md5(into))) {
    throw new DeviceError('read-corrupt', 'What was read differs from what the board sent', {
      details: { offset, length: into.length },
    });
  }
}
