import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#clock.ts';
import { Bootloader } from '#device/bootloader.ts';
import { equalBytes, isBlank } from '#formats/bytes.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { VirtualPort } from '#sim/virtual-port.ts';
import { noise, onBench, sampleData } from './support/bench.ts';

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

describe.each(['esp32', 'esp32s3', 'esp32c3'])('%s', (chip) => {
  test('is connected, written, read, hashed and erased', () =>
    onBench({ chip, flash: noise(0x40_0000) }, async (bench) => {
      const board = await bench.connect();
      expect(board.identity.chip.name).toBe(chip);
      expect(board.identity.flashSize).toBe(0x40_0000);
      expect(board.mode).toBe('stub');
      expect(board.baud).toBe(921_600);

      const before = bench.board.snapshot();
      const data = sampleData(300_001);
      await board.write(0x1_1000, data);
      const flash = bench.board.snapshot();
      expect(equalBytes(flash.subarray(0x1_1000, 0x1_1000 + data.length), data)).toBe(true);
      // The rest of the last sector is erased; nothing else is touched.
      expect(isBlank(flash.subarray(0x1_1000 + data.length, 0x5_b000))).toBe(true);
      expect(equalBytes(flash.subarray(0, 0x1_1000), before.subarray(0, 0x1_1000))).toBe(true);
      expect(equalBytes(flash.subarray(0x5_b000), before.subarray(0x5_b000))).toBe(true);

      expect(equalBytes(await board.read(0x1_0ffd, 70_003), flash.subarray(0x1_0ffd, 0x1_0ffd + 70_003))).toBe(true);
      expect(await board.md5(0x1_1001, 12_345)).toBe(md5(flash.subarray(0x1_1001, 0x1_1001 + 12_345)));

      await board.erase(0x1_1000, 0x3000);
      expect(isBlank(bench.board.snapshot().subarray(0x1_1000, 0x1_4000))).toBe(true);
      expect(equalBytes(bench.board.snapshot().subarray(0x1_4000), flash.subarray(0x1_4000))).toBe(true);
      await board.close();
      expect(await bench.isFree()).toBe(true);
    }));
});

test.each([
  ['zeros', new Uint8Array(600_000)],
  ['noise', noise(100_003)],
  ['one byte', Uint8Array.of(0x5a)],
  ['a sector', sampleData(0x1000)],
  ['nothing', new Uint8Array(0)],
  ['FF only', new Uint8Array(70_000).fill(0xff)],
])('writes %s', (_, data) =>
  onBench({ flash: noise(0x40_0000) }, async (bench) => {
    const board = await bench.connect();
    await board.write(0x2_0000, data);
    expect(equalBytes(bench.board.snapshot().subarray(0x2_0000, 0x2_0000 + data.length), data)).toBe(true);
    await board.close();
  }),
);

test('the last sector of the flash can be written, and nothing wraps to the first', () =>
  onBench({ flash: noise(0x20_0000) }, async (bench) => {
    const board = await bench.connect();
    expect(board.size).toBe(0x20_0000);
    const first = bench.board.snapshot().subarray(0, 0x1000);
    await board.write(0x1f_f000, sampleData(0x1000));
    await expect(board.write(0x1f_f000, sampleData(0x1001))).rejects.toMatchObject({ code: 'range-invalid' });
    await expect(board.erase(0x1f_f000, 0x2000)).rejects.toMatchObject({ code: 'range-invalid' });
    await expect(board.read(0x20_0000, 1)).rejects.toMatchObject({ code: 'range-invalid' });
    await expect(board.md5(0, 0x20_0001)).rejects.toMatchObject({ code: 'range-invalid' });
    expect(equalBytes(bench.board.snapshot().subarray(0, 0x1000), first)).toBe(true);
    await board.close();
  }));

test('a refused range sends nothing', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect();
    const { 'to-device': before } = bench.faults.passed;
    for (const refused of [
      board.write(0x1004, sampleData(8)),
      board.erase(0x1000, 0x800),
      board.write(0.5, sampleData(8)),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'range-invalid' });
    }
    expect(bench.faults.passed['to-device']).toBe(before);
    await board.close();
  }));

test('what is to be blank is erased to the end of its last sector, and not sent', () =>
  onBench({ flash: noise(0x40_0000) }, async (bench) => {
    const board = await bench.connect();
    const { 'to-device': before } = bench.faults.passed;
    await board.write(0x9000, new Uint8Array(0x3010).fill(0xff));
    expect(bench.faults.passed['to-device'] - before).toBeLessThan(100);
    expect(bench.board.flash.isBlank(0x9000, 0x4000)).toBe(true);
    expect(bench.board.flash.isBlank(0x8f00, 0x100) || bench.board.flash.isBlank(0xd000, 0x100)).toBe(false);
    await board.close();
  }));

test('progress counts what the board has taken, never goes back and ends at the total', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect();
    const data = sampleData(700_000);
    const seen: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      expect(total).toBe(data.length);
      seen.push(done);
    };
    for (const job of [
      () => board.write(0x1_0000, data, { onProgress }),
      () => board.read(0x1_0000, data.length, { onProgress }),
    ]) {
      seen.length = 0;
      await job();
      expect(seen.length).toBeGreaterThan(10);
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBe(data.length);
      expect(seen.every((done, index) => index === 0 || done > (seen[index - 1] ?? 0))).toBe(true);
    }
    await board.close();
  }));

test('jobs begun together are done one after the other', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect();
    const [a, b] = [sampleData(50_000, 2), sampleData(50_000, 3)];
    const results = await Promise.all([
      board.write(0x1_0000, a),
      board.write(0x2_0000, b),
      board.read(0x1_0000, a.length),
      board.md5(0x2_0000, b.length),
    ]);
    expect(equalBytes(results[2], a)).toBe(true);
    expect(results[3]).toBe(md5(b));
    await board.close();
  }));

test('a megabyte at 921600 takes about as long as the line and the flash do', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect();
    const start = bench.clock.now();
    await board.write(0x1_0000, sampleData(0x10_0000));
    // 0.7 MB compressed are 7.6 s on the line; flash work overlaps.
    expect(bench.clock.now() - start).toBeLessThan(12_000);
    await board.close();
  }));

test('nothing of esptool-js polls, sleeps or talks', () =>
  onBench({}, async (bench) => {
    const { setTimeout } = globalThis;
    const { log } = console;
    const calls: string[] = [];
    globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
      if (new Error().stack?.includes('esptool-js')) calls.push('setTimeout');
      return setTimeout(...args);
    }) as typeof setTimeout;
    console.log = (...words: unknown[]) => void calls.push(String(words[0]));
    try {
      const board = await bench.connect();
      await board.write(0x1_0000, sampleData(40_000));
      await board.read(0x1_0000, 40_000);
      await board.close();
    } finally {
      globalThis.setTimeout = setTimeout;
      console.log = log;
    }
    expect(calls).toEqual([]);
  }));

test('works on the clock of the machine', async () => {
  const board = new VirtualEsp32({ chip: 'esp32', clock: systemClock, instantLine: true });
  const port = new VirtualPort(board);
  const loader = await Bootloader.connect(port, { clock: systemClock });
  await loader.write(0x1_0000, sampleData(3000));
  expect(equalBytes(board.snapshot().subarray(0x1_0000, 0x1_0000 + 3000), sampleData(3000))).toBe(true);
  await loader.close();
  board.powerCut();
});
