/** What takes how long in the stubs, and what goes on at the same time. */
import { encodeSlip } from '#sim/loader/slip.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { noise } from '../device/support/bench.ts';
import { decodeAnswers, decodeFrames } from './support/frames.ts';
import { LoaderBench, wordBytes } from './support/loader-bench.ts';
import { dataRequest, wordRequest } from './support/stub-images.ts';

const ERASE_BLOCK = 150;
const ERASE_SECTOR = 45;
/** Milliseconds to program 64 KiB. */
const PROGRAM_BLOCK = 128;
const MODEL = { flashTimes: { block: ERASE_BLOCK, sector: ERASE_SECTOR, page: 0.5 }, md5Rate: 4096 } as const;
const readMagic = wordRequest(0x0a, 0x4000_1000);
const md5 = (offset: number, length: number): Uint8Array => wordRequest(0x13, offset, length, 0, 0);

type Stub = 'esptool-js' | 'tasmota-webserial-esptool';

async function start(stub: Stub, options: Partial<VirtualEsp32Options> = {}): Promise<LoaderBench> {
  const bench = await new LoaderBench({ ...MODEL, ...options }).start(stub);
  bench.board.flash.bytes.fill(0);
  return bench;
}

/** Milliseconds until a request is answered. */
async function answerMs(bench: LoaderBench, frame: Uint8Array): Promise<number> {
  const before = bench.clock.now();
  bench.board.hostWrites(encodeSlip(frame));
  while (decodeAnswers(bench.take()).length === 0) {
    await bench.clock.advance(1);
    if (bench.clock.now() > before + 60_000) throw new Error('No answer');
  }
  return bench.clock.now() - before;
}

/** Milliseconds from BEGIN until all is in flash; a block follows when the answer to the one before has come. */
async function writeMs(bench: LoaderBench, offset: number, data: Uint8Array): Promise<number> {
  const before = bench.clock.now();
  const stream = deflateSync(data);
  const begin = wordRequest(0x10, data.length, Math.ceil(stream.length / 0x4000), 0x4000, offset);
  await answerMs(bench, begin);
  for (let at = 0; at < stream.length; at += 0x4000) {
    await answerMs(bench, dataRequest(0x11, at / 0x4000, stream.subarray(at, at + 0x4000)));
  }
  await answerMs(bench, md5(offset, 16));
  expect(bench.board.flash.bytes.subarray(offset, offset + data.length)).toEqual(data);
  return bench.clock.now() - before;
}

describe('the stub of esptool-js', () => {
  test('answers BEGIN at once, and what needs the flash waits for the erase that goes on', async () => {
    const bench = await start('esptool-js');
    expect(await answerMs(bench, wordRequest(0x02, 0x2_0000, 8, 0x4000, 0x10_0000))).toBeLessThan(5);
    expect(await answerMs(bench, readMagic)).toBeLessThan(5);
    expect(await answerMs(bench, md5(0, 16))).toBeGreaterThan(ERASE_BLOCK - 15);
    expect(await answerMs(bench, md5(0, 16))).toBeLessThan(5);
  });

  test.each([
    { what: 'an erase', frame: wordRequest(0xd1, 0x20_0000, 0x1000), ms: ERASE_SECTOR },
    { what: 'a plain block', frame: dataRequest(0x03, 0, new Uint8Array(0x100)), ms: 0 },
    { what: 'the next BEGIN', frame: wordRequest(0x02, 0x1000, 1, 0x4000, 0), ms: 0 },
  ])('$what waits for the erase too', async ({ frame, ms }) => {
    const bench = await start('esptool-js');
    await answerMs(bench, wordRequest(0x02, 0x1_0000, 8, 0x4000, 0x10_0000));
    const answered = await answerMs(bench, frame);
    const total = answered + (await answerMs(bench, md5(0, 16)));
    expect(total).toBeGreaterThan(ERASE_BLOCK + ms - 15);
  });

  test('passes over blank sectors until the first that is not', async () => {
    const bench = await start('esptool-js');
    bench.board.flash.bytes.fill(0xff, 0x10_0000, 0x11_0000);
    bench.board.flash.bytes.fill(0xff, 0x20_0000, 0x20_e000);
    const data = noise(0x1_0000);
    expect(await writeMs(bench, 0x10_0000, data)).toBeLessThan(PROGRAM_BLOCK + 40);
    // Thirteen sectors are passed over, and so the block cannot be erased as one any more.
    const partly = await writeMs(bench, 0x20_0000, data);
    expect(partly).toBeGreaterThan(PROGRAM_BLOCK + 2 * ERASE_SECTOR);
    expect(partly).toBeLessThan(PROGRAM_BLOCK + ERASE_BLOCK);
  });

  test('takes the MD5 rate that it is given, or its own', async () => {
    expect(await answerMs(await start('esptool-js'), md5(0, 0x10_0000))).toBeCloseTo(256, -1);
    const own = await new LoaderBench().start('esptool-js');
    expect(await answerMs(own, md5(0, 0x10_0000))).toBeLessThan(200);
  });

  test('sends a frame no faster than the line takes it, and keeps two acknowledges meanwhile', async () => {
    const bench = await start('esptool-js', { instantLine: false });
    bench.board.hostWrites(encodeSlip(wordRequest(0xd2, 0, 0x5000, 0x1000, 1)));
    await bench.clock.advance(20);
    // Four bytes of a value that needs no escapes; a pause between them as batches lose what follows a frame.
    for (const arrived of [0x1000, 0x2000, 0x3000]) {
      bench.board.hostWrites(encodeSlip(wordBytes(arrived)));
      await bench.clock.advance(20);
    }
    await bench.clock.advance(3000);
    expect(decodeFrames(bench.take()).map(({ length }) => length)).toEqual([10, 0x1000, 0x1000, 0x1000]);
  });
});

test.each<Stub>(['esptool-js', 'tasmota-webserial-esptool'])(
  'the stub of %s erases while it receives',
  async (stub) => {
    const blocks = 4;
    const data = noise(blocks * 0x1_0000);
    const receiveMs = (data.length * 10_000) / 921_600;
    const bench = await start(stub, { instantLine: false });
    await bench.ask(wordRequest(0x0f, 921_600, 115_200));
    bench.board.setHostBaud(921_600);
    const ms = await writeMs(bench, 0x10_0000, data);
    expect(ms).toBeGreaterThan(receiveMs);
    // One after the other it would be the sum; so it is the longer of the two, and the end of the work on the last block.
    expect(ms).toBeLessThan(receiveMs + PROGRAM_BLOCK + ERASE_BLOCK);
    expect(receiveMs + blocks * (PROGRAM_BLOCK + ERASE_BLOCK)).toBeGreaterThan(ms + 500);
  },
);
