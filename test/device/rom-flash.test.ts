/** The flash through the loader in ROM: boards on which no stub runs. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Bootloader } from '#device/bootloader.ts';
import { equalBytes, isBlank, readU32 } from '#formats/bytes.ts';
import { type Fault, seededRandom } from '#sim/faults.ts';
import { type Bench, type BenchOptions, noise, onBench, sampleData } from './support/bench.ts';
import { listenToHost } from './support/host-frames.ts';

const CHIPS = ['esp32', 'esp32s3', 'esp32c3'];
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const ROM_ONLY = { stub: false };
/** What makes a ROM leave its loader, and what only a stub knows. */
const FORBIDDEN = new Set([0x04, 0x05, 0x06, 0x07, 0x12, 0xd0, 0xd1, 0xd2, 0xd3]);

describe.each(CHIPS)('%s', (chip) => {
  test('is written, read, hashed and erased by its ROM, byte for byte', () =>
    onBench({ chip, flash: noise(0x40_0000) }, async (bench) => {
      const asked = listenToHost(bench);
      const board = await bench.connect(ROM_ONLY);
      expect(board.mode).toBe('rom');
      expect(board.baud).toBe(921_600);
      expect(board.identity).toMatchObject({ flashSize: 0x40_0000 });

      const expected = bench.board.snapshot();
      const data = sampleData(150_003);
      await board.write(0x21_1000, data);
      expected.fill(0xff, 0x21_1000, 0x23_6000).set(data, 0x21_1000);
      expect(equalBytes(bench.board.snapshot(), expected)).toBe(true);

      expect(equalBytes(await board.read(0x21_0ffd, 5003), expected.subarray(0x21_0ffd, 0x21_0ffd + 5003))).toBe(true);
      expect(await board.md5(0x21_1001, 12_345)).toBe(md5(expected.subarray(0x21_1001, 0x21_1001 + 12_345)));

      await board.erase(0x21_3000, 0x3000);
      expected.fill(0xff, 0x21_3000, 0x21_6000);
      expect(equalBytes(bench.board.snapshot(), expected)).toBe(true);
      await board.close();
      expect(await bench.isFree()).toBe(true);
      expect(asked().filter(({ op }) => FORBIDDEN.has(op))).toEqual([]);
    }));

  test('its last sectors can be written, and nothing behind or elsewhere is touched', () =>
    onBench({ chip, flash: noise(0x20_0000) }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      const expected = bench.board.snapshot();
      const data = sampleData(0x2fff);
      await board.write(0x1f_d000, data);
      expected.fill(0xff, 0x1f_d000).set(data, 0x1f_d000);
      expect(equalBytes(bench.board.snapshot(), expected)).toBe(true);
      expect(equalBytes(await board.read(0x1f_fff1, 15), expected.subarray(0x1f_fff1))).toBe(true);
      await board.close();
    }));

  test('a stretch of FF is erased, not sent', () =>
    onBench({ chip, flash: noise(0x20_0000) }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      const asked = listenToHost(bench);
      await board.write(0x4_0000, new Uint8Array(0x4_0000).fill(0xff));
      expect(isBlank(bench.board.snapshot().subarray(0x4_0000, 0x8_0000))).toBe(true);
      expect(asked().filter(({ op }) => op === 0x03 || op === 0x11)).toEqual([]);
      await board.close();
    }));

  test('BEGIN has the length that this ROM takes, and compressed data only where they are exact', () =>
    onBench({ chip }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      const asked = listenToHost(bench);
      await board.write(0x1_0000, sampleData(20_000));
      const begin = asked().filter(({ op }) => op === 0x02 || op === 0x10);
      expect(begin.map(({ op, payload }) => [op, payload.length])).toEqual([
        chip === 'esp32' ? [0x02, 16] : chip === 'esp32s3' ? [0x02, 20] : [0x10, 20],
      ]);
      const blocks = asked().filter(({ op }) => op === 0x03 || op === 0x11);
      expect(blocks.length).toBeGreaterThan(1);
      expect(blocks.every(({ payload }) => readU32(payload, 0) === payload.length - 16)).toBe(true);
      expect(blocks.every(({ payload }) => payload.length - 16 <= 0x1800)).toBe(true);
      await board.close();
    }));
});

test('a refused range sends nothing', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect(ROM_ONLY);
    const { 'to-device': before } = bench.faults.passed;
    for (const refused of [
      board.write(0x1004, sampleData(8)),
      board.write(0x3f_f000, sampleData(0x1001)),
      board.erase(0x1000, 0x800),
      board.erase(0x3f_f000, 0x2000),
      board.read(0x40_0000, 1),
      board.md5(0, 0x40_0001),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'range-invalid' });
    }
    expect(bench.faults.passed['to-device']).toBe(before);
    await board.close();
  }));

test('what the ROM cannot address is left alone: it would take it for the start of the flash', () =>
  onBench({ chip: 'esp32s3', flashSize: 0x200_0000 }, async (bench) => {
    const board = await bench.connect(ROM_ONLY);
    const { 'to-device': before } = bench.faults.passed;
    for (const refused of [
      board.write(0xff_f000, sampleData(0x1001)),
      board.erase(0x100_0000, 0x1000),
      board.read(0x100_0000, 4),
      board.md5(0, 0x100_0001),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'beyond-rom-reach' });
    }
    expect(bench.faults.passed['to-device']).toBe(before);
    await board.write(0xff_f000, sampleData(0x1000));
    await board.close();
    const stub = await bench.connect();
    await stub.write(0x100_0000, sampleData(0x1000));
    await stub.close();
  }));

test('what the ROM costs is reckoned: it does not work while it listens', () =>
  onBench({}, async (bench) => {
    const rom = await bench.connect(ROM_ONLY);
    expect(rom.costs.overlaps).toBe(false);
    await rom.close();
    const stub = await bench.connect();
    expect(stub.costs.overlaps).toBe(true);
    await stub.close();
  }));

test('progress never goes back and ends at the total', () =>
  onBench({}, async (bench) => {
    const board = await bench.connect(ROM_ONLY);
    const data = sampleData(70_000);
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }): void => void seen.push(done);
    for (const job of [
      () => board.write(0x1_0000, data, { onProgress }),
      () => board.read(0x1_0000, 9000, { onProgress }),
    ]) {
      seen.length = 0;
      await job();
      expect(seen.length).toBeGreaterThan(5);
      expect(seen.every((done, index) => index === 0 || done > (seen[index - 1] ?? 0))).toBe(true);
    }
    expect(seen.at(-1)).toBe(9000);
    await board.close();
  }));

describe('the rate', () => {
  test.each<[string, BenchOptions, number]>([
    ['that the ROM is told', {}, 921_600],
    ['that a ROM is told which does not measure it', { autobaud: false }, 921_600],
    ['that the cable carries', { maxBaud: 500_000 }, 460_800],
    ['of a cable that carries no other', { maxBaud: 120_000 }, 115_200],
  ])('%s', (_, options, baud) =>
    onBench({ ...options, flash: noise(0x20_0000) }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      expect(board.baud).toBe(baud);
      await board.write(0x1_0000, sampleData(10_000));
      await board.close();
    }),
  );

  test('what the ROM can do is not remembered as what the stub can', () =>
    onBench({}, async (bench) => {
      const noted: number[] = [];
      const bauds = { recall: () => undefined, note: (_: string, baud: number) => void noted.push(baud) };
      const board = await bench.connect({ ...ROM_ONLY, bauds });
      await board.close();
      expect(noted).toEqual([]);
    }));
});

describe('a stub that does not start', () => {
  test.each(CHIPS)('leaves the work to the ROM of an %s, in time', (chip) =>
    onBench({ chip, crashesUploads: true, flash: noise(0x20_0000) }, async (bench) => {
      const steps: string[] = [];
      const board = await bench.connect({ onStep: (step) => steps.push(step) });
      expect(board.mode).toBe('rom');
      expect(steps.filter((step) => step === 'stub').length).toBe(2);
      expect(bench.clock.now()).toBeLessThan(8000);
      const data = sampleData(9000);
      await board.write(0x1_0000, data);
      expect(equalBytes(bench.board.snapshot().subarray(0x1_0000, 0x1_0000 + data.length), data)).toBe(true);
      await board.close();
    }),
  );

  test('is named where nothing can be reset', () =>
    onBench({ crashesUploads: true, boot: 'download' }, async (bench) => {
      await expect(bench.connect({ before: 'none' })).rejects.toMatchObject({ code: 'stub-failed' });
      expect(await bench.isFree()).toBe(true);
    }));
});

describe('secure boot', () => {
  test.each([
    ['esp32', 'v1', 'stub'],
    ['esp32', 'v2', 'stub'],
    ['esp32s3', 'v2', 'stub'],
    ['esp32c3', 'v2', 'rom'],
  ] as const)('on an %s (%s): reached by the %s way', (chip, secureBoot, mode) =>
    onBench({ chip, efuses: { secureBoot }, flash: noise(0x20_0000) }, async (bench) => {
      const board = await bench.connect();
      expect(board.mode).toBe(mode);
      expect(board.identity).toMatchObject({ flashSize: 0x20_0000, security: { secureBoot } });
      const expected = bench.board.snapshot();
      expect(equalBytes(await board.read(0x8000, 300), expected.subarray(0x8000, 0x8000 + 300))).toBe(true);
      await board.write(0x1_0000, sampleData(5000));
      expected.fill(0xff, 0x1_0000, 0x1_2000).set(sampleData(5000), 0x1_0000);
      expect(equalBytes(bench.board.snapshot(), expected)).toBe(true);
      await board.close();
      expect(await bench.isFree()).toBe(true);
    }),
  );
});

test.each(['esp32s3', 'esp32c3'])('secure download mode on an %s: nothing is read, written or erased', (chip) =>
  onBench({ chip, efuses: { secureDownload: true }, flash: noise(0x20_0000) }, async (bench) => {
    const asked = listenToHost(bench);
    const board = await bench.connect({ flashSize: 0x20_0000 });
    expect(board.mode).toBe('rom');
    expect(board.identity).toMatchObject({ mac: undefined, security: { secureDownload: true } });
    const before = bench.board.snapshot();
    for (const refused of [board.read(0, 16), board.md5(0, 16), board.write(0, noise(16)), board.erase(0, 0x1000)]) {
      await expect(refused).rejects.toMatchObject({ code: 'flash-access-refused' });
    }
    await board.close();
    expect(asked().filter(({ op }) => op === 0x02 || op === 0x10)).toEqual([]);
    expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
  }),
);

describe('ports of the chip itself', () => {
  test('USB-Serial/JTAG', () =>
    onBench({ chip: 'esp32c3', wiring: 'usb-serial-jtag' }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      await board.write(0x1_0000, sampleData(20_000));
      expect(equalBytes(await board.read(0x1_0000, 100), sampleData(20_000).subarray(0, 100))).toBe(true);
      await board.close();
    }));

  test('USB-OTG gets the small blocks that its ROM takes, and is restarted by its watchdog', () =>
    onBench({ chip: 'esp32s3', wiring: 'usb-otg', boot: 'download' }, async (bench) => {
      const board = await bench.connect(ROM_ONLY);
      const asked = listenToHost(bench);
      await board.write(0x1_0000, noise(20_000));
      expect(asked().every(({ op, payload }) => op !== 0x03 || payload.length <= 16 + 0x800)).toBe(true);
      bench.board.holdBootButton(false);
      const console = await board.restart();
      await bench.clock.advance(500);
      expect(bench.board.inDownloadMode).toBe(false);
      await console.close();
    }));
});

const OFFSET = 0x1_0000;
const DATA = sampleData(70_000);
const USED = noise(0x20_0000);

/** All that a session does. It leaves DATA at OFFSET, and a block erased elsewhere. */
async function wholeSession(bench: Bench): Promise<void> {
  let board: Bootloader | undefined;
  try {
    board = await bench.connect(ROM_ONLY);
    await board.write(OFFSET, DATA);
    expect(equalBytes(await board.read(OFFSET, 3000), DATA.subarray(0, 3000))).toBe(true);
    await board.erase(0x18_0000, 0x1_0000);
  } finally {
    await board?.close();
  }
}

/** A flash in which every byte is what it should be. */
function expectWhole(bench: Bench): void {
  const expected = USED.slice();
  expected.fill(0xff, OFFSET, OFFSET + 0x1_2000).set(DATA, OFFSET);
  expected.fill(0xff, 0x18_0000, 0x19_0000);
  expect(equalBytes(bench.board.snapshot(), expected)).toBe(true);
}

const quiet: BenchOptions = { startFirmware: () => ({ receive: () => undefined, stop: () => undefined }) };

describe.each(['esp32', 'esp32c3'])('faults at the ROM of an %s are mended', (chip) => {
  const succeedsDespite = (faults: Fault[]): Promise<void> =>
    onBench({ ...quiet, chip, flash: USED.slice(), faults }, async (bench) => {
      await wholeSession(bench);
      expectWhole(bench);
      expect(await bench.isFree()).toBe(true);
    });
  const random = seededRandom(5);
  const points = (count: number, from: number, to: number): number[] =>
    Array.from({ length: count }, () => Math.floor(from + random() * (to - from)));

  test('without any', () => succeedsDespite([]));
  test.each(points(8, 1500, 45_000))('a bit to the board is turned at byte %i', (at) =>
    succeedsDespite([{ kind: 'flip', direction: 'to-device', at, bit: at % 8 }]),
  );
  test.each(points(8, 1500, 45_000))('bytes to the board are lost at byte %i', (at) =>
    succeedsDespite([{ kind: 'drop', direction: 'to-device', at, count: 1 + (at % 30) }]),
  );
  test.each(points(5, 1500, 5000))('a bit from the board is turned at byte %i', (at) =>
    succeedsDespite([{ kind: 'flip', direction: 'to-host', at, bit: at % 8 }]),
  );
  test.each(points(5, 1500, 5000))('bytes from the board are lost at byte %i', (at) =>
    succeedsDespite([{ kind: 'drop', direction: 'to-host', at, count: 1 + (at % 30) }]),
  );
  test.each(points(3, 3000, 45_000))('the ROM hangs at byte %i', (at) =>
    succeedsDespite([{ kind: 'hang', direction: 'to-device', at }]),
  );
  test('the supply fails in the middle', () => succeedsDespite([{ kind: 'power-cut', operation: 30, share: 0.5 }]));
  test('a line that errs every 15 KB', () =>
    succeedsDespite(
      Array.from({ length: 6 }, (_, index) => ({
        kind: 'flip' as const,
        direction: 'to-device' as const,
        at: 8000 + 15_000 * index,
        bit: index % 8,
      })),
    ));
});

test.each([
  ['the offset, off its sector', 21, 4],
  ['the offset, behind the chip', 24, 7],
  ['the size, beyond the chip', 12, 7],
])('a BEGIN that arrives with another value of %s is refused by the ROM, and sent again', async (_, byte, bit) => {
  let at = 0;
  await onBench({ ...quiet, flash: USED.slice() }, async (bench) => {
    const pass = bench.board.hostWrites.bind(bench.board);
    bench.board.hostWrites = (bytes) => {
      if (bytes[2] === 0x02) at ||= bench.faults.passed['to-device'];
      pass(bytes);
    };
    await wholeSession(bench);
  });
  const faults: Fault[] = [{ kind: 'flip', direction: 'to-device', at: at + byte, bit }];
  await onBench({ ...quiet, flash: USED.slice(), faults }, async (bench) => {
    await wholeSession(bench);
    expectWhole(bench);
  });
});

test('a sector that takes no data is named, and the rest can be written', () =>
  onBench({ ...quiet, flash: USED.slice(), faults: [{ kind: 'bad-sector', sector: 0x15 }] }, async (bench) => {
    const board = await bench.connect(ROM_ONLY);
    await expect(board.write(OFFSET, DATA)).rejects.toMatchObject({
      code: 'verify-failed',
      details: { offset: 0x1_5000 },
    });
    await expect(board.erase(0x1_0000, 0x1_0000)).rejects.toMatchObject({ code: 'verify-failed' });
    await board.write(0x10_0000, DATA);
    expect(equalBytes(bench.board.snapshot().subarray(0x10_0000, 0x10_0000 + DATA.length), DATA)).toBe(true);
    await board.close();
  }));

test('a board that starts its ROM anew is told its flash size again', () =>
  onBench({ ...quiet, flash: noise(0x40_0000), boot: 'download', autobaud: false }, async (bench) => {
    const board = await bench.connect({ ...ROM_ONLY, baud: 115_200 });
    bench.clock.after(900, () => bench.board.pressReset());
    await board.write(0x30_0000, DATA);
    expect(equalBytes(bench.board.snapshot().subarray(0x30_0000, 0x30_0000 + DATA.length), DATA)).toBe(true);
    await board.close();
  }));
