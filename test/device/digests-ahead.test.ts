/** Digests that are asked for while the board computes others. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '#formats/bytes.ts';
import { type FlashPart } from '#device/flash-memory.ts';
import { Link } from '#device/link.ts';
import { LoaderCommands, Op, words } from '#device/loader-commands.ts';
import { encodeSlip, SlipDecoder } from '#device/slip.ts';
import { ModelClock } from '#model-clock.ts';
import { type Fault } from '#sim/faults.ts';
import { type Bench, type BenchOptions, noise, onBench } from './support/bench.ts';
import { ScriptedPort } from './support/scripted-port.ts';

const FLASH = noise(0x20_0000);
const quiet: BenchOptions = { startFirmware: () => ({ receive: () => undefined, stop: () => undefined }) };

/** Parts of the flash; those of `other` hold something else. */
const partsOf = (lengths: readonly number[], other: readonly number[] = []): FlashPart[] => {
  let offset = 0x1_0000;
  return lengths.map((length, index) => {
    const data = FLASH.slice(offset, offset + length);
    if (other.includes(index)) data[length >> 1]! ^= 1;
    const part = { offset, data };
    offset += length;
    return part;
  });
};

/** How long it takes to ask for each alone, and for all of them. */
async function times(options: BenchOptions, parts: readonly FlashPart[], stub = true): Promise<[number, number]> {
  let taken: [number, number] = [0, 0];
  await onBench({ ...quiet, flash: FLASH.slice(), ...options }, async (bench) => {
    const board = await bench.connect({ stub });
    const start = bench.clock.now();
    for (const part of parts) await board.holdsEach([part]);
    const middle = bench.clock.now();
    await board.holdsEach(parts);
    taken = [middle - start, bench.clock.now() - middle];
    await board.close();
  });
  return taken;
}

async function asked(bench: Bench, parts: readonly FlashPart[]): Promise<boolean[]> {
  const board = await bench.connect();
  const held = await board.holdsEach(parts);
  expect(equalBytes(bench.board.snapshot(), FLASH)).toBe(true);
  await board.close();
  return held;
}

test.each([
  { name: 'none', lengths: [], other: [] },
  { name: 'one', lengths: [0x1000], other: [] },
  { name: 'two', lengths: [0x1000, 0x1_0000], other: [0] },
  { name: 'many, of every length', lengths: [0x1000, 1, 0x1_0000, 12_345, 0x1000, 0x1000, 0x4_0000, 4], other: [3, 7] },
])('tell which are held, in their order: $name', ({ lengths, other }) =>
  onBench({ ...quiet, flash: FLASH.slice() }, async (bench) => {
    const held = lengths.map((_, index) => !other.includes(index));
    expect(await asked(bench, partsOf(lengths, other))).toEqual(held);
  }),
);

test.each([0x1_0000, 0x1000])('cost less than each alone (%i bytes)', async (length) => {
  const [apart, together] = await times({}, partsOf(Array<number>(8).fill(length)));
  expect(together).toBeLessThan(0.8 * apart);
});

test('what the board takes for a byte is not learnt from a line that takes longer', () =>
  onBench({ ...quiet, flash: FLASH.slice() }, async (bench) => {
    const board = await bench.connect({ baud: 115_200 });
    const [part] = partsOf([0x8000]);
    for (let count = 0; count < 20; count++) await board.holdsEach([part!]);
    const alone = board.costs.md5;
    await board.holdsEach(partsOf(Array<number>(20).fill(0x8000)));
    expect(board.costs.md5 / alone).toBeCloseTo(1, 1);
    await board.close();
  }));

test('the ROM is asked for one at a time: it keeps nothing that comes meanwhile', async () => {
  const [apart, together] = await times({}, partsOf(Array<number>(4).fill(0x4000)), false);
  expect(Math.abs(together - apart)).toBeLessThan(1);
});

/** Faults in the third of them, on its way there or back; bytes are counted from where they are asked for. */
const FAULTS: Record<string, Fault> = {
  'a lost byte of a command': { kind: 'drop', direction: 'to-device', at: 318, count: 1 },
  'a lost border of a command': { kind: 'drop', direction: 'to-device', at: 308, count: 1 },
  'a turned bit of a command': { kind: 'flip', direction: 'to-device', at: 312, bit: 3 },
  'a turned bit of an answer': { kind: 'flip', direction: 'to-host', at: 60, bit: 2 },
  'a lost answer': { kind: 'drop', direction: 'to-host', at: 56, count: 28 },
};

test.each(Object.entries(FAULTS))('%s shifts no digest to another part', (_, fault) =>
  onBench({ ...quiet, flash: FLASH.slice() }, async (bench) => {
    const board = await bench.connect();
    const parts = partsOf(Array<number>(6).fill(0x1000), [1, 4]);
    bench.faults.add(fault);
    const held = await board.holdsEach(parts);
    expect(bench.faults.pending).toBe(0);
    // A digest that arrived wrong may deny what is held, and never claims what is not.
    expect(held).toEqual([true, false, held[2], true, false, true]);
    expect(await board.holdsEach(parts)).toEqual([true, false, true, true, false, true]);
    await board.close();
  }),
);

test('once something went wrong on the line, they are asked for one at a time', () =>
  onBench({ ...quiet, flash: FLASH.slice() }, async (bench) => {
    const board = await bench.connect();
    const parts = partsOf(Array<number>(4).fill(0x1000));
    const timed = async (): Promise<number> => {
      const start = bench.clock.now();
      await board.holdsEach(parts);
      return bench.clock.now() - start;
    };
    const ahead = await timed();
    bench.faults.add({ kind: 'drop', direction: 'to-device', at: 0, count: 1 });
    await timed();
    expect(board.troubles).toBeGreaterThan(0);
    expect(await timed()).toBeGreaterThan(ahead + 2);
    await board.close();
  }));

test('answers that an adapter gathers are not followed by commands that touch each other', async () => {
  const clock = new ModelClock();
  const port = new ScriptedPort();
  const commands = new LoaderCommands(new Link(port, clock));
  const answer = encodeSlip(concatBytes(Uint8Array.of(1, Op.Md5, 18, 0), new Uint8Array(4 + 18)));
  let unanswered = 0;
  const stub = new SlipDecoder(() => {
    if (++unanswered < 2) return;
    port.send(concatBytes(answer, answer));
    unanswered = 0;
  });
  port.onWrite = (bytes) => stub.push(bytes);
  let replies = 0;
  await clock.run(async () => {
    await commands.link.connect();
    const command = { payload: words(0x1_0000, 0x1000, 0, 0), timeoutMs: 1000, dataLength: 16 };
    await commands.commandsAhead(Op.Md5, Array<typeof command>(6).fill(command), () => replies++);
  });
  expect(replies).toBe(6);
  // No byte of these commands is escaped.
  const [first, ...gaps] = Buffer.from(concatBytes(...port.written))
    .toString('latin1')
    .split(
      Buffer.from(encodeSlip(concatBytes(Uint8Array.of(0, Op.Md5, 16, 0), words(0, 0x1_0000, 0x1000, 0, 0)))).toString(
        'latin1',
      ),
    );
  expect([first, ...gaps]).toEqual(['', ...Array<string>(5).fill('\0'.repeat(128)), '']);
});
