/** A question that arrives damaged is answered for another place. Such an answer must not pass for the one that was asked for. */
import { describe, expect, test } from 'vitest';
import { isBlankRange } from '#device/blank-digest.ts';
import { equalBytes } from '#formats/bytes.ts';
import { Op } from '#device/loader-commands.ts';
import { type Bench, type BenchOptions, noise, onBench } from './support/bench.ts';

const FLASH = noise(0x20_0000);
FLASH.fill(0xff, 0x10_0000);
const quiet: BenchOptions = { startFirmware: () => ({ receive: () => undefined, stop: () => undefined }) };

/** Bytes of a command with offset and length as they are on the line: a border, the header, two words. */
const OFFSET_AT = 9;
const WORDS = 8;
/** Every bit of offset and length that leads to another place in this flash, or out of it. */
const BITS = Array.from({ length: WORDS }, (_, byte) => [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => ({ byte, bit }))).flat();

/** Turns a bit of the first command of that kind from now on. */
function damage(bench: Bench, op: number, { byte, bit }: { byte: number; bit: number }): void {
  const toBoard = bench.board.hostWrites.bind(bench.board);
  let done = false;
  bench.board.hostWrites = (bytes) => {
    if (!done && bytes[2] === op) {
      done = true;
      bench.faults.add({ kind: 'flip', direction: 'to-device', at: OFFSET_AT + byte, bit });
    }
    toBoard(bytes);
  };
}

describe.each([
  { title: 'the stub', chip: 'esp32', stub: true, op: Op.ReadFlash },
  { title: 'the ROM', chip: 'esp32', stub: false, op: Op.ReadFlashSlow },
] as const)('through $title', ({ chip, stub, op }) => {
  test.each([0x9000, 0x10_1000])('a read from %i gives what is there, whatever bit of it is turned', async (offset) => {
    const length = stub ? 0x2000 : 0x40;
    for (const at of BITS) {
      await onBench({ ...quiet, chip, flash: FLASH.slice() }, async (bench) => {
        const board = await bench.connect({ stub });
        damage(bench, op, at);
        const read = await board.read(offset, length);
        expect(equalBytes(read, FLASH.subarray(offset, offset + length)), JSON.stringify(at)).toBe(true);
        expect(bench.faults.pending).toBe(0);
        await board.close();
      });
    }
  });

  test('what is not blank does not pass for it, whatever bit of the question is turned', async () => {
    for (const at of BITS) {
      await onBench({ ...quiet, chip, flash: FLASH.slice() }, async (bench) => {
        const board = await bench.connect({ stub });
        damage(bench, Op.Md5, at);
        expect(await isBlankRange(board, { offset: 0x4_0000, length: 0x1000 }), JSON.stringify(at)).toBe(false);
        expect(bench.faults.pending).toBe(0);
        await board.close();
      });
    }
  });
});
