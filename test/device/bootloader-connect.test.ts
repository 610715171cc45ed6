import { describe, expect, test, vi } from 'vitest';
import { type DeviceError } from '#device/device-error.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { type OpenFault } from '#sim/virtual-port.ts';
import { type Bench, type BenchOptions, noise, onBench, sampleData } from './support/bench.ts';

/** Milliseconds in which a failed connect has to be told. */
const VERDICT_MS = 15_000;

async function failedConnect(bench: Bench, options: Parameters<Bench['connect']>[0] = {}): Promise<DeviceError> {
  const start = bench.clock.now();
  const error = await bench.connect(options).then(
    () => undefined,
    (reason: unknown) => reason as DeviceError,
  );
  if (!error) throw new Error('It connected');
  expect(bench.clock.now() - start).toBeLessThanOrEqual(VERDICT_MS);
  return error;
}

/** Runs the virtual board's normal boot as an app that prints and then listens. */
const chattyApp: Pick<VirtualEsp32Options, 'startFirmware'> = {
  startFirmware: (machine) => {
    let cancel = (): void => undefined;
    const speak = (): void => {
      machine.send('I (1234) app: still here\r\n');
      cancel = machine.clock.after(500, speak);
    };
    speak();
    return { receive: () => undefined, stop: () => cancel() };
  },
};
const silentApp: Pick<VirtualEsp32Options, 'startFirmware'> = {
  startFirmware: () => ({ receive: () => undefined, stop: () => undefined }),
};

test('opening the port of a board that runs does not reset it', () =>
  onBench({ ...chattyApp }, async (bench) => {
    await bench.clock.advance(2000);
    const reset = vi.spyOn(bench.board, 'setModemLines');
    await failedConnect(bench, { before: 'none' });
    const lines = reset.mock.calls.map(([call]) => call);
    expect(lines.length).toBeGreaterThan(2);
    // EN is pulled while RTS is asserted and DTR is not. The last call is the closing of the port, which drops both at once.
    expect(lines.filter(({ dtr, rts }) => rts && !dtr)).toEqual([]);
  }));

describe('identity', () => {
  test.each([
    ['esp32', '24:0a:c4:12:34:56', { major: 3, minor: 0 }, 'ESP32'],
    ['esp32s3', '34:85:18:12:34:56', { major: 0, minor: 2 }, 'ESP32-S3'],
    ['esp32c3', '60:55:f9:12:34:56', { major: 0, minor: 3 }, 'ESP32-C3'],
  ])('of an %s', (chip, mac, revision, chipName) =>
    onBench({ chip, flashSize: 0x80_0000 }, async (bench) => {
      const steps: string[] = [];
      const board = await bench.connect({ onStep: (step) => steps.push(step) });
      expect(board.identity).toMatchObject({
        chipName,
        mac,
        revision,
        flashSize: 0x80_0000,
        usb: { usbVendorId: 0x10c4, usbProductId: 0xea60 },
        crystalMhz: 40,
        security: { secureBoot: 'off', flashEncryption: 'off', secureDownload: false },
      });
      expect(board.identity.description).toContain(chipName);
      expect(board.identity.features).toContain('Wi-Fi');
      expect(steps).toEqual(['open', 'reset', 'identify', 'stub', 'baud']);
      expect(bench.clock.now()).toBeLessThan(3000);
      await board.close();
    }),
  );

  test('tells another MAC and revision', () =>
    onBench(
      { chip: 'esp32c3', efuses: { mac: '02:00:00:00:00:2a', revision: { major: 1, minor: 1 } } },
      async (bench) => {
        const board = await bench.connect();
        expect(board.identity).toMatchObject({ mac: '02:00:00:00:00:2a', revision: { major: 1, minor: 1 } });
        await board.close();
      },
    ));

  test('is right or not told at all, wherever the line turns a bit', async () => {
    for (let at = 40; at < 3000; at += 13) {
      const faults = [{ kind: 'flip', direction: 'to-host', at, bit: at % 8 } as const];
      await onBench({ chip: 'esp32s3', faults, ...silentApp }, async (bench) => {
        const board = await bench.connect({ baud: 115_200 });
        expect(board.identity).toMatchObject({
          mac: '34:85:18:12:34:56',
          revision: { major: 0, minor: 2 },
          flashSize: 0x40_0000,
          security: { secureBoot: 'off', flashEncryption: 'off' },
        });
        await board.close();
      });
    }
  });

  test.each(['development', 'release'] as const)('tells flash encryption: %s', (flashEncryption) =>
    onBench({ chip: 'esp32', efuses: { flashEncryption, secureBoot: 'v1' } }, async (bench) => {
      const board = await bench.connect();
      expect(board.identity.security).toMatchObject({ flashEncryption, secureBoot: 'v1' });
      await board.close();
    }),
  );

  test.each(['development', 'release'] as const)('tells flash encryption of a C3: %s', (flashEncryption) =>
    onBench({ chip: 'esp32c3', efuses: { flashEncryption } }, async (bench) => {
      const board = await bench.connect();
      expect(board.identity.security).toMatchObject({ flashEncryption, secureBoot: 'off' });
      await board.close();
    }),
  );

  test('a flash that cannot be detected: nothing is guessed, the given size is taken', () =>
    onBench({ flashId: 0xff_ffff }, async (bench) => {
      const blind = await bench.connect();
      expect(blind.identity.flashSize).toBeUndefined();
      expect(() => blind.size).toThrow(expect.objectContaining({ code: 'flash-size-unknown' }));
      await expect(blind.write(0, sampleData(16))).rejects.toMatchObject({ code: 'flash-size-unknown' });
      await blind.close();

      const told = await bench.connect({ flashSize: 0x40_0000 });
      expect(told.size).toBe(0x40_0000);
      await told.write(0, sampleData(5000));
      await told.close();
    }));

  test('a size that is detected beats one that is given', () =>
    onBench({ flashSize: 0x20_0000 }, async (bench) => {
      const board = await bench.connect({ flashSize: 0x100_0000 });
      expect(board.size).toBe(0x20_0000);
      await board.close();
    }));
});

describe('resets', () => {
  const WAYS: [string, BenchOptions, Parameters<Bench['connect']>[0]][] = [
    ['auto, an adapter', {}, {}],
    ['auto, a plain tty', { port: { info: {} } }, {}],
    ['auto, a large capacitor at EN', { enDelay: 300 }, {}],
    ['classic', {}, { before: 'classic' }],
    ['tight', {}, { before: 'tight' }],
    ['none, with the button held', { boot: 'download' }, { before: 'none' }],
    ['auto, USB-Serial/JTAG', { chip: 'esp32c3', wiring: 'usb-serial-jtag' }, {}],
    ['usb, told', { chip: 'esp32s3', wiring: 'usb-serial-jtag' }, { before: 'usb' }],
    [
      'none, USB-OTG with the button held',
      { chip: 'esp32s3', wiring: 'usb-otg', boot: 'download' },
      { before: 'none' },
    ],
    ['auto, USB-OTG with the button held', { chip: 'esp32s3', wiring: 'usb-otg', boot: 'download' }, {}],
  ];
  test.each(WAYS)('%s', (_, board, options) =>
    onBench({ ...board, flash: noise(0x40_0000), ...chattyApp }, async (bench) => {
      const loader = await bench.connect(options);
      await loader.write(0x1_0000, sampleData(30_000));
      expect(await loader.read(0x1_0000, 30_000)).toEqual(sampleData(30_000));
      await loader.close();
      expect(await bench.isFree()).toBe(true);
    }),
  );

  test('a board without a capacitor at EN is reached where both lines move at once', () =>
    onBench({ enDelay: 0, ...chattyApp }, async (bench) => {
      bench.port.setSignals = async ({ dataTerminalReady: dtr = false, requestToSend: rts = false }) =>
        bench.board.setModemLines({ dtr, rts });
      const board = await bench.connect();
      expect(board.mode).toBe('stub');
      await board.close();
    }));

  test('a native-USB board comes back as another port, and the session goes on with it', () =>
    onBench({ chip: 'esp32c3', wiring: 'usb-serial-jtag', ...chattyApp }, async (bench) => {
      const first = bench.port;
      const board = await bench.connect();
      expect(board.port).toBe(bench.port);
      expect(board.port).not.toBe(first);
      await board.close();
    }));

  test('without somebody who tells of ports a native-USB board is lost', () =>
    onBench({ chip: 'esp32c3', wiring: 'usb-serial-jtag', ...chattyApp }, async (bench) => {
      expect((await failedConnect(bench, { ports: undefined })).code).toBe('port-lost');
    }));
});

describe('what a failed connect says', () => {
  const OPEN_FAULTS: [OpenFault, string][] = [
    [{ kind: 'busy', style: 'browser' }, 'port-in-use-or-missing'],
    [{ kind: 'missing', style: 'browser' }, 'port-in-use-or-missing'],
    [{ kind: 'busy', style: 'node' }, 'port-busy'],
    [{ kind: 'missing', style: 'node' }, 'port-missing'],
    [{ kind: 'no-permission', style: 'node' }, 'port-no-permission'],
  ];
  test.each(OPEN_FAULTS)('%j', (openFault, code) =>
    onBench({ port: { openFault } }, async (bench) => {
      expect((await failedConnect(bench)).code).toBe(code);
    }),
  );

  test('the same port object is open already', () =>
    onBench({}, async (bench) => {
      await bench.port.open({ baudRate: 9600 });
      expect((await failedConnect(bench)).code).toBe('port-busy');
    }));

  test('a reset that does not reach the boot pin: normal boot, with the text and the mode', () =>
    onBench({ straps: { download: 0x13 }, ...silentApp }, async (bench) => {
      const error = await failedConnect(bench);
      expect(error.code).toBe('normal-boot');
      expect(error.details.bootMode).toBe(0x13);
      expect(error.details.text).toContain('SPI_FAST_FLASH_BOOT');
      expect(await bench.isFree()).toBe(true);
    }));

  test('no reset, and the app talks', () =>
    onBench(chattyApp, async (bench) => {
      await bench.clock.advance(2000);
      const error = await failedConnect(bench, { before: 'none' });
      expect(error.code).toBe('normal-boot');
      expect(error.details.text).toContain('still here');
    }));

  test('no reset, and a silent app', () =>
    onBench(silentApp, async (bench) => {
      await bench.clock.advance(2000);
      const error = await failedConnect(bench, { before: 'none' });
      expect(error.code).toBe('silent');
      expect(await bench.isFree()).toBe(true);
    }));

  test('download mode, but the line to the board is down', () =>
    onBench({}, async (bench) => {
      bench.board.hostWrites = () => undefined;
      const error = await failedConnect(bench);
      expect(error.code).toBe('download-no-reply');
      expect(error.details.bootMode).toBeDefined();
    }));

  test('a board without power is silent', () =>
    onBench(silentApp, async (bench) => {
      bench.board.powerCut();
      expect((await failedConnect(bench)).code).toBe('silent');
    }));

  test('noise', () =>
    onBench(silentApp, async (bench) => {
      bench.board.hostWrites = () => undefined;
      bench.board.powerCut();
      const speak = (): void => {
        bench.board.send(noise(50).map((byte) => byte | 0x80));
        bench.clock.after(300, speak);
      };
      speak();
      expect((await failedConnect(bench)).code).toBe('unreadable');
    }));

  test('download mode switched off for good', () =>
    onBench({ efuses: { downloadDisabled: true } }, async (bench) => {
      expect((await failedConnect(bench)).code).toBe('download-no-reply');
    }));

  test('a second try succeeds once the reason is gone', () =>
    onBench({ port: { openFault: { kind: 'busy', style: 'node' } } }, async (bench) => {
      await failedConnect(bench);
      bench.port.openFault = undefined;
      const board = await bench.connect();
      await board.close();
    }));
});

describe('the rate', () => {
  /** A bridge or cable that spoils everything above a rate. */
  function limitBaud(bench: Bench, limit: number): void {
    const setHostBaud = bench.board.setHostBaud.bind(bench.board);
    bench.board.setHostBaud = (baud) => setHostBaud(baud > limit ? baud * 1.3 : baud);
  }

  test.each([
    [921_600, 921_600],
    [500_000, 460_800],
    [300_000, 230_400],
    [115_200, 115_200],
  ])('a cable good for %i ends at %i', (limit, baud) =>
    onBench({}, async (bench) => {
      limitBaud(bench, limit);
      const board = await bench.connect();
      expect(board.baud).toBe(baud);
      await board.write(0, sampleData(20_000));
      await board.close();
    }),
  );

  test('a rate that is asked for is taken', () =>
    onBench({}, async (bench) => {
      const board = await bench.connect({ baud: 1_500_000 });
      expect(board.baud).toBe(1_500_000);
      await board.close();
      const slow = await bench.connect({ baud: 115_200 });
      expect(slow.baud).toBe(115_200);
      await slow.close();
    }));

  test('native USB has none to change', () =>
    onBench({ chip: 'esp32c3', wiring: 'usb-serial-jtag' }, async (bench) => {
      const board = await bench.connect({ baud: 921_600 });
      expect(board.baud).toBe(115_200);
      await board.close();
    }));

  test('a stub that an earlier session left at its rate is found again without a reset', () =>
    onBench({ boot: 'download' }, async (bench) => {
      const board = await bench.connect();
      await board.close();
      const again = await bench.connect({ before: 'none' });
      expect(again.mode).toBe('stub');
      await again.write(0, sampleData(10_000));
      await again.close();
    }));
});

describe('the rate', () => {
  test('from the closed port to the running stub takes little more than a second', () =>
    onBench({}, async (bench) => {
      let started = 0;
      const board = await bench.connect({
        onStep: (step) => {
          if (step === 'baud') started = bench.clock.now();
        },
      });
      expect(started).toBeGreaterThan(0);
      expect(started).toBeLessThan(1200);
      expect(board.baud).toBe(921_600);
      await board.close();
    }));

  test('a ROM that does not measure the rate is talked to at its own', () =>
    onBench({ autobaud: false }, async (bench) => {
      const board = await bench.connect();
      expect(board.baud).toBe(921_600);
      await board.close();
    }));

  test.each([
    ['a CP2102', { usbVendorId: 0x10c4, usbProductId: 0xea60 }, Infinity, 921_600],
    ['a CH343', { usbVendorId: 0x1a86, usbProductId: 0x55d3 }, Infinity, 3_000_000],
    ['a CH343 on a cable that is good for less', { usbVendorId: 0x1a86, usbProductId: 0x55d3 }, 1_600_000, 1_500_000],
  ])('of %s', (_, info, maxBaud, baud) =>
    onBench({ maxBaud, port: { info } }, async (bench) => {
      const board = await bench.connect();
      expect(board.baud).toBe(baud);
      const data = sampleData(100_000);
      await board.write(0x1_0000, data);
      expect(await board.read(0x1_0000, data.length)).toEqual(data);
      await board.close();
    }),
  );

  test('what was found out is remembered for that adapter and board', () =>
    onBench({ maxBaud: 500_000 }, async (bench) => {
      const known = new Map<string, number>();
      const bauds = {
        recall: (key: string) => known.get(key),
        note: (key: string, baud: number) => void known.set(key, baud),
      };
      const first = bench.clock.now();
      await (await bench.connect({ bauds })).close();
      const second = bench.clock.now();
      expect([...known]).toEqual([['10c4:ea60/24:0a:c4:12:34:56', 460_800]]);
      const board = await bench.connect({ bauds });
      expect(board.baud).toBe(460_800);
      // Nothing had to be tried in vain.
      expect(bench.clock.now() - second).toBeLessThan((second - first) / 2);
      await board.close();
    }));
});
