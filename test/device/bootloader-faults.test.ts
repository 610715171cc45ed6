import { describe, expect, test } from 'vitest';
import { equalBytes } from '#formats/bytes.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { type DeviceError } from '#device/device-error.ts';
import { type Fault, seededRandom } from '#sim/faults.ts';
import { type Bench, type BenchOptions, noise, onBench, sampleData } from './support/bench.ts';

/** Milliseconds in which an abort or a pulled cable has to be told, and the port closed. */
const TOLD_MS = 2000;
const OFFSET = 0x1_0000;
const DATA = sampleData(300_000);
/** A flash that was used before; each test gets a copy. */
const USED = noise(0x20_0000);
const quiet: BenchOptions = { startFirmware: () => ({ receive: () => undefined, stop: () => undefined }) };

/** All that a session does, from the closed port to the closed port. */
async function wholeSession(bench: Bench, signal?: AbortSignal): Promise<void> {
  const options = signal ? { signal } : {};
  let board: Bootloader | undefined;
  try {
    board = await bench.connect(options);
    await board.write(OFFSET, DATA, options);
    await board.md5(OFFSET, DATA.length, options);
    expect(equalBytes(await board.read(OFFSET, DATA.length, options), DATA)).toBe(true);
    await board.erase(0x18_0000, 0x1_0000, options);
  } finally {
    await board?.close();
  }
}

async function secondRunSucceeds(bench: Bench): Promise<void> {
  await wholeSession(bench);
  expect(equalBytes(bench.board.snapshot().subarray(OFFSET, OFFSET + DATA.length), DATA)).toBe(true);
  expect(await bench.isFree()).toBe(true);
}

/** How long a session takes, and how much goes over the line. */
async function measure(): Promise<{ ms: number; toDevice: number; toHost: number }> {
  let result = { ms: 0, toDevice: 0, toHost: 0 };
  await onBench(quiet, async (bench) => {
    await wholeSession(bench);
    const { 'to-device': toDevice, 'to-host': toHost } = bench.faults.passed;
    result = { ms: bench.clock.now(), toDevice, toHost };
  });
  return result;
}

const whole = await measure();
const random = seededRandom(2);
const points = (count: number, total: number): number[] =>
  Array.from({ length: count }, () => Math.floor(random() * total));

describe('an abort ends as AbortError, at any point', () => {
  test.each(points(6, whole.ms))('after %i ms', (ms) =>
    onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
      const controller = new AbortController();
      let abortedAt = 0;
      bench.clock.after(ms, () => {
        abortedAt = bench.clock.now();
        controller.abort();
      });
      await expect(wholeSession(bench, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
      expect(bench.clock.now() - abortedAt).toBeLessThanOrEqual(TOLD_MS);
      expect(await bench.isFree()).toBe(true);
      await secondRunSucceeds(bench);
    }),
  );
});

test('an abort while the port opens leaves it free', () =>
  onBench(quiet, async (bench) => {
    const controller = new AbortController();
    bench.clock.after(0.5, () => controller.abort());
    await expect(bench.connect({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await bench.isFree()).toBe(true);
  }));

describe('a pulled cable ends as port-lost, at any point', () => {
  test.each(points(6, whole.ms))('after %i ms', (ms) =>
    onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
      let pulledAt = 0;
      bench.clock.after(ms, () => {
        pulledAt = bench.clock.now();
        bench.board.pullCable();
      });
      const error = (await wholeSession(bench).catch((reason: unknown) => reason)) as DeviceError;
      // In the first millisecond the port is not open yet.
      expect(error.code).toBe(ms < 2 ? 'port-in-use-or-missing' : 'port-lost');
      expect(bench.clock.now() - pulledAt).toBeLessThanOrEqual(TOLD_MS);
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await secondRunSucceeds(bench);
    }),
  );

  test('also on native USB', () =>
    onBench({ ...quiet, chip: 'esp32c3', wiring: 'usb-serial-jtag' }, async (bench) => {
      const board = await bench.connect();
      const writing = board.write(OFFSET, DATA).catch((reason: unknown) => reason as DeviceError);
      await bench.clock.advance(300);
      const pulledAt = bench.clock.now();
      bench.board.pullCable();
      expect(((await writing) as DeviceError).code).toBe('port-lost');
      await board.close();
      expect(bench.clock.now() - pulledAt).toBeLessThanOrEqual(TOLD_MS);
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await secondRunSucceeds(bench);
    }));
});

/** A fault on the line costs time only. */
async function succeedsDespite(faults: Fault[]): Promise<void> {
  await onBench({ ...quiet, flash: USED.slice(), faults }, async (bench) => {
    await wholeSession(bench);
    expect(equalBytes(bench.board.snapshot().subarray(OFFSET, OFFSET + DATA.length), DATA)).toBe(true);
    expect(await bench.isFree()).toBe(true);
  });
}

describe('faults on the line are mended', () => {
  test.each(points(6, whole.toDevice))('a bit to the board is turned at byte %i', (at) =>
    succeedsDespite([{ kind: 'flip', direction: 'to-device', at, bit: at % 8 }]),
  );
  test.each(points(6, whole.toDevice))('bytes to the board are lost at byte %i', (at) =>
    succeedsDespite([{ kind: 'drop', direction: 'to-device', at, count: 1 + (at % 30) }]),
  );
  test.each(points(6, whole.toHost))('a bit from the board is turned at byte %i', (at) =>
    succeedsDespite([{ kind: 'flip', direction: 'to-host', at, bit: at % 8 }]),
  );
  test.each(points(6, whole.toHost))('bytes from the board are lost at byte %i', (at) =>
    succeedsDespite([{ kind: 'drop', direction: 'to-host', at, count: 1 + (at % 30) }]),
  );
  test.each(points(4, whole.toDevice))('the stub hangs at byte %i', (at) =>
    succeedsDespite([{ kind: 'hang', direction: 'to-device', at }]),
  );

  // Connecting is the first 10 KB to the board and the first kilobytes from it.
  test.each(points(6, 9000))('while connecting: to the board, byte %i', async (at) => {
    await succeedsDespite([{ kind: 'flip', direction: 'to-device', at, bit: at % 8 }]);
    await succeedsDespite([{ kind: 'drop', direction: 'to-device', at, count: 1 + (at % 5) }]);
  });
  test.each(points(6, 2000))('while connecting: from the board, byte %i', async (at) => {
    await succeedsDespite([{ kind: 'flip', direction: 'to-host', at, bit: at % 8 }]);
    await succeedsDespite([{ kind: 'drop', direction: 'to-host', at, count: 1 + (at % 5) }]);
  });

  test('a stub that hangs five times', () =>
    succeedsDespite(
      [50_000, 90_000, 130_000, 180_000, 220_000].map((at) => ({ kind: 'hang', direction: 'to-device', at })),
    ));

  test('a line that errs every 40 KB', () =>
    succeedsDespite(
      Array.from({ length: 12 }, (_, index) => ({
        kind: 'flip' as const,
        direction: 'to-device' as const,
        at: 20_000 + 40_000 * index,
        bit: index % 8,
      })),
    ));
});

describe('the flash', () => {
  test('a sector that takes no data is named', () =>
    onBench({ ...quiet, flash: USED.slice(), faults: [{ kind: 'bad-sector', sector: 0x35 }] }, async (bench) => {
      const board = await bench.connect();
      await expect(board.write(OFFSET, DATA)).rejects.toMatchObject({
        code: 'verify-failed',
        details: { offset: 0x3_5000 },
      });
      await expect(board.erase(0x3_0000, 0x1_0000)).rejects.toMatchObject({ code: 'verify-failed' });
      // What lies elsewhere can be written all the same.
      await board.write(0x10_0000, DATA);
      await board.close();
    }));

  test('a sector that wears out only now is named as well', () =>
    onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
      const board = await bench.connect();
      bench.board.addFault({ kind: 'bad-sector', sector: 0x35 });
      await expect(board.write(OFFSET, DATA)).rejects.toMatchObject({
        code: 'verify-failed',
        details: { offset: 0x3_5000 },
      });
      await board.close();
    }));

  test('a command to read that becomes the one that erases everything does not pass for a blank flash', () =>
    onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
      const board = await bench.connect();
      await board.md5(0x1000, 0x1000);
      // Byte 2 of the frame is the command: D2 becomes D0.
      bench.faults.add({ kind: 'flip', direction: 'to-device', at: 2, bit: 1 });
      await expect(board.read(0x4_0000, 0x1_0000)).rejects.toMatchObject({ code: 'flash-erased' });
      await board.close();
    }));

  test('what a command erased that was meant to is not missed', () =>
    onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
      const board = await bench.connect();
      await board.md5(0x1_0000, 0x1_0000);
      await board.erase(0x1_0000, 0x1_0000);
      bench.faults.add({ kind: 'flip', direction: 'to-device', at: 4, bit: 1 });
      expect(await board.read(0x4_0000, 0x1000)).toEqual(USED.slice(0x4_0000, 0x4_1000));
      await board.close();
    }));

  test('a supply that fails in the middle is survived', () =>
    succeedsDespite([{ kind: 'power-cut', operation: 40, share: 0.5 }]));
});

describe('close', () => {
  test('in the middle of a write: the write is told, the port is free', () =>
    onBench(quiet, async (bench) => {
      const board = await bench.connect();
      const writing = board.write(OFFSET, DATA).catch((reason: unknown) => reason as DeviceError);
      await bench.clock.advance(700);
      const start = bench.clock.now();
      await board.close();
      expect(((await writing) as DeviceError).code).toBe('port-closed');
      expect(bench.clock.now() - start).toBeLessThanOrEqual(TOLD_MS);
      await expect(board.read(0, 4)).rejects.toMatchObject({ code: 'port-closed' });
      await secondRunSucceeds(bench);
    }));

  test('twice does no harm', () =>
    onBench(quiet, async (bench) => {
      const board = await bench.connect();
      await board.close();
      await board.close();
      expect(await bench.isFree()).toBe(true);
    }));
});

test('after an abort the same session goes on', () =>
  onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
    const board = await bench.connect();
    for (const ms of [50, 333, 1200, 2500]) {
      const controller = new AbortController();
      bench.clock.after(ms, () => controller.abort());
      await expect(board.write(OFFSET, DATA, { signal: controller.signal })).rejects.toMatchObject({
        name: 'AbortError',
      });
      expect(await board.read(0, 0x1000)).toEqual(bench.board.snapshot().subarray(0, 0x1000));
    }
    for (const ms of [5, 150]) {
      const controller = new AbortController();
      bench.clock.after(ms, () => controller.abort());
      await expect(board.read(0, 200_000, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    }
    await board.write(OFFSET, DATA);
    expect(equalBytes(bench.board.snapshot().subarray(OFFSET, OFFSET + DATA.length), DATA)).toBe(true);
    await board.close();
  }));

test('a board that was reset into its ROM loader, at the rate of that, gets its stub again', () =>
  onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
    const board = await bench.connect({ baud: 115_200 });
    bench.board.holdBootButton(true);
    bench.board.pressReset();
    await bench.clock.advance(100);
    expect(await board.read(OFFSET, 5000)).toEqual(USED.slice(OFFSET, OFFSET + 5000));
    await board.close();
  }));

test('an abort while waiting for another job leaves that one alone', () =>
  onBench(quiet, async (bench) => {
    const board = await bench.connect();
    const writing = board.write(OFFSET, DATA);
    const controller = new AbortController();
    const waiting = board.read(0, 100, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await writing;
    expect(equalBytes(bench.board.snapshot().subarray(OFFSET, OFFSET + DATA.length), DATA)).toBe(true);
    await board.close();
  }));
