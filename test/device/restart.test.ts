import { describe, expect, test } from 'vitest';
import { type BoardConsole, type ConsoleLine } from '#device/console.ts';
import { type DeviceError } from '#device/device-error.ts';
import { appFor, flashWith } from '../sim/support/boot-flash.ts';
import { credentials, NETWORK } from '../sim/support/house-board.ts';
import { type Bench, type BenchOptions, onBench, sampleData } from './support/bench.ts';

/** A board that boots the house firmware, which joins the network. */
const houseBoard = (chip: string): BenchOptions => ({
  chip,
  network: NETWORK,
  flash: flashWith({ chip, content: { ota_0: appFor(chip), nvs: credentials() } }),
});

/** The lines until one has that event, or the time is up. */
async function linesUntil(console: BoardConsole, bench: Bench, code: string, ms = 30_000): Promise<ConsoleLine[]> {
  const lines: ConsoleLine[] = [];
  const end = bench.clock.now() + ms;
  while (bench.clock.now() < end) {
    const line = await console.next({ ms: end - bench.clock.now() });
    if (!line) break;
    lines.push(line);
    if (line.event?.code === code) break;
  }
  return lines;
}

const texts = (lines: ConsoleLine[]): string => lines.map(({ text }) => text).join('\n');

describe.each(['esp32', 'esp32s3', 'esp32c3'])('%s behind an adapter', (chip) => {
  test('restarts into its app, and not a line is lost', () =>
    onBench(houseBoard(chip), async (bench) => {
      const board = await bench.connect();
      const console = await board.restart();
      const lines = await linesUntil(console, bench, 'got-ip');
      expect(lines[0]?.event?.code ?? lines[0]?.text).toBe('rom-banner');
      expect(lines.map(({ event }) => event?.code).filter(Boolean)).toEqual(
        expect.arrayContaining(['rom-banner', 'reset-reason', 'loaded-app', 'got-ip']),
      );
      expect(lines.find(({ event }) => event?.code === 'reset-reason')?.event?.mode).toBe('normal');
      expect(lines.find(({ event }) => event?.code === 'loaded-app')?.event?.offset).toBe(0x1_0000);
      expect(lines.at(-1)?.event?.address).toBe('192.168.1.57');
      expect(lines.every(({ at }, index) => at >= (lines[index - 1]?.at ?? 0))).toBe(true);
      await console.close();
      expect(await bench.isFree()).toBe(true);
    }));
});

test.each(['esp32c3', 'esp32s3'])('an %s on USB-Serial/JTAG restarts, leaves, comes back and is followed', (chip) =>
  onBench({ ...houseBoard(chip), wiring: 'usb-serial-jtag' }, async (bench) => {
    const board = await bench.connect();
    const loaderPort = board.port;
    const console = await board.restart();
    const lines = await linesUntil(console, bench, 'got-ip');
    expect(lines.at(-1)?.event).toEqual({ code: 'got-ip', address: '192.168.1.57' });
    expect(console.port).toBe(bench.port);
    expect(console.port).not.toBe(loaderPort);
    await console.close();
    expect(await bench.isFree()).toBe(true);
  }),
);

test('a board on USB-OTG has no reset line: its watchdog restarts it', () =>
  onBench({ ...houseBoard('esp32s3'), wiring: 'usb-otg', boot: 'download' }, async (bench) => {
    const board = await bench.connect();
    const written: [number, number][] = [];
    const write = bench.board.memory.write.bind(bench.board.memory);
    bench.board.memory.write = (address, value, mask) => {
      written.push([address, value]);
      write(address, value, mask);
    };
    const console = await board.restart();
    expect(written).toEqual([
      [0x6000_812c, 0],
      [0x6000_80b0, 0x50d8_3aa1],
      [0x6000_809c, 2000],
      [0x6000_8098, 0xd000_0102],
    ]);
    await console.close();
  }));

test('a wrong password shows as a disconnect with the reason of the driver', () =>
  onBench(
    { ...houseBoard('esp32'), network: { accessPoint: { ssid: 'Workshop', password: 'another one' } } },
    async (bench) => {
      const console = await (await bench.connect()).restart();
      const lines = await linesUntil(console, bench, 'wifi-disconnected');
      expect(lines.at(-1)?.event).toEqual({ code: 'wifi-disconnected', reason: 15 });
      await console.close();
    },
  ));

test('a board whose flash was just erased says so', () =>
  onBench(houseBoard('esp32'), async (bench) => {
    const board = await bench.connect();
    await board.erase(0x1000, 0x7000);
    const console = await board.restart();
    expect(texts(await linesUntil(console, bench, 'invalid-header', 5000))).toContain('invalid header: 0xffffffff');
    await console.close();
  }));

test('after a restart the session is over, and a new one can be begun', () =>
  onBench(houseBoard('esp32'), async (bench) => {
    const board = await bench.connect();
    const console = await board.restart();
    await expect(board.read(0, 4)).rejects.toMatchObject({ code: 'port-closed' });
    await linesUntil(console, bench, 'loaded-app');
    await console.close();
    const again = await bench.connect();
    await again.write(0x20_0000, sampleData(10));
    await again.close();
  }));

test('a restart waits for the job before it', () =>
  onBench(houseBoard('esp32'), async (bench) => {
    const board = await bench.connect();
    const writing = board.write(0x30_0000, sampleData(50_000));
    const console = await board.restart();
    await writing;
    expect(texts(await linesUntil(console, bench, 'loaded-app'))).toContain('Loaded app');
    await console.close();
  }));

describe('the console', () => {
  const prompt: BenchOptions = {
    startFirmware: (machine) => {
      machine.send('hello\r\n>>> ');
      return { receive: (bytes) => machine.send(bytes), stop: () => undefined };
    },
  };

  test('hands out a prompt without a line end, and sends text', () =>
    onBench(prompt, async (bench) => {
      const console = await (await bench.connect()).restart();
      const lines: string[] = [];
      for (let line = await console.next({ ms: 2000 }); line; line = await console.next({ ms: 2000 }))
        lines.push(line.text);
      expect(lines.slice(-2)).toEqual(['hello', '>>> ']);
      await console.write('echo\n');
      expect((await console.next({ ms: 2000 }))?.text).toBe('echo');
      await console.close();
    }));

  test('waits no longer than told, and an abort ends the waiting', () =>
    onBench({ startFirmware: () => ({ receive: () => undefined, stop: () => undefined }) }, async (bench) => {
      const console = await (await bench.connect()).restart();
      while (await console.next({ ms: 1000 }));
      const start = bench.clock.now();
      expect(await console.next({ ms: 700 })).toBeUndefined();
      expect(bench.clock.now() - start).toBe(700);
      const controller = new AbortController();
      const waiting = console.next({ signal: controller.signal });
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
      await console.close();
    }));

  test('can be run through until it is closed', () =>
    onBench(prompt, async (bench) => {
      const console = await (await bench.connect()).restart();
      bench.clock.after(3000, () => void console.close());
      const lines: string[] = [];
      for await (const { text } of console) lines.push(text);
      expect(lines).toContain('hello');
      expect(await bench.isFree()).toBe(true);
    }));

  test.each(['uart', 'usb-serial-jtag'] as const)('a pulled cable ends it as port-lost: %s', (wiring) =>
    onBench({ ...houseBoard('esp32c3'), wiring }, async (bench) => {
      const console = await (await bench.connect()).restart();
      await linesUntil(console, bench, 'loaded-app');
      const pulledAt = bench.clock.now();
      bench.board.pullCable();
      const drain = async (): Promise<void> => {
        for await (const line of console) expect(line.text).toBeDefined();
      };
      const error = (await drain().catch((reason: unknown) => reason)) as DeviceError;
      expect(error.code).toBe('port-lost');
      await console.close();
      expect(bench.clock.now() - pulledAt).toBeLessThanOrEqual(2000);
    }),
  );

  test('a board that is not back after its restart is lost, not waited for without end', () =>
    onBench({ ...houseBoard('esp32c3'), wiring: 'usb-serial-jtag' }, async (bench) => {
      const board = await bench.connect();
      const restarting = board.restart();
      bench.clock.after(150, () => bench.board.pullCable());
      const console = await restarting;
      await expect(console.next()).rejects.toMatchObject({ code: 'port-lost' });
      await console.close();
    }));
});

test('an abort during the restart leaves the port free', () =>
  onBench(houseBoard('esp32'), async (bench) => {
    const board = await bench.connect();
    const controller = new AbortController();
    bench.clock.after(60, () => controller.abort());
    await expect(board.restart({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await bench.isFree()).toBe(true);
  }));
