/** What Chromium's Web Serial was seen to do on Linux, of the virtual port. */
import { ModelClock } from '#model-clock.ts';
import { type Program } from '#sim/machine.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { VirtualBench } from '#sim/virtual-bench.ts';
import { VirtualPort } from '#sim/virtual-port.ts';
import { describe, expect, test, vi } from 'vitest';

/** An app that echoes. */
const startFirmware: VirtualEsp32Options['startFirmware'] = (machine): Program => ({
  receive: (bytes) => machine.send(bytes),
  stop: () => undefined,
});

function makePort(options: Partial<VirtualEsp32Options> = {}) {
  const clock = new ModelClock();
  const board = new VirtualEsp32({ chip: 'esp32', startFirmware, ...options, clock });
  return { clock, board, port: new VirtualPort(board) };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  );

const nameOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await errorOf(promise);
  return error instanceof Error || error instanceof DOMException ? error.name : String(error);
};

describe('opening', () => {
  test('raises DTR and RTS together', async () => {
    const { clock, board, port } = makePort();
    const lines = vi.spyOn(board, 'setModemLines');
    await clock.run(port.open({ baudRate: 115_200 }));
    expect(lines.mock.calls).toEqual([[{ dtr: true, rts: true }]]);
  });

  test('twice is an InvalidStateError', async () => {
    const { clock, port } = makePort();
    await clock.run(async () => {
      const first = port.open({ baudRate: 115_200 });
      expect(await nameOf(port.open({ baudRate: 115_200 }))).toBe('InvalidStateError');
      await first;
      expect(await nameOf(port.open({ baudRate: 115_200 }))).toBe('InvalidStateError');
    });
  });

  test.each([{ baudRate: 0 }, { baudRate: 115_200, bufferSize: 0 }, { baudRate: 115_200, bufferSize: 0x100_0001 }])(
    'with %o is a TypeError',
    async (options) => {
      const { clock, port } = makePort();
      expect(await clock.run(nameOf(port.open(options)))).toBe('TypeError');
    },
  );

  test.each(['busy', 'missing', 'no-permission'] as const)(
    '%s is one and the same NetworkError in a browser',
    async (kind) => {
      const { clock, port } = makePort();
      port.openFault = { kind, style: 'browser' };
      const error = await clock.run(errorOf(port.open({ baudRate: 115_200 })));
      expect(error).toMatchObject({ name: 'NetworkError', message: 'Failed to open serial port.' });
      port.openFault = undefined;
      await clock.run(port.open({ baudRate: 115_200 }));
    },
  );

  test.each([
    { kind: 'busy', code: 'EBUSY' },
    { kind: 'missing', code: 'ENOENT' },
    { kind: 'no-permission', code: 'EACCES' },
  ] as const)('$kind is $code in Node', async ({ kind, code }) => {
    const { clock, port } = makePort();
    port.openFault = { kind, style: 'node' };
    expect(await clock.run(errorOf(port.open({ baudRate: 115_200 })))).toMatchObject({ code });
  });

  test('tells the USB ids of the wiring, and nothing more', () => {
    expect(makePort().port.getInfo()).toEqual({ usbVendorId: 0x10c4, usbProductId: 0xea60 });
    expect(makePort({ wiring: 'usb-serial-jtag' }).port.getInfo()).toEqual({
      usbVendorId: 0x303a,
      usbProductId: 0x1001,
    });
    expect(makePort({ chip: 'esp32s3', wiring: 'usb-otg', boot: 'download' }).port.getInfo().usbProductId).toBe(9);
    const { board } = makePort();
    expect(new VirtualPort(board, { info: {} }).getInfo()).toEqual({});
  });
});

describe('signals', () => {
  test('change one after the other, DTR first, so that both are seen asserted between', async () => {
    const { clock, board, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200 });
      await port.setSignals({ dataTerminalReady: false, requestToSend: true });
      const lines = vi.spyOn(board, 'setModemLines');
      await port.setSignals({ dataTerminalReady: true, requestToSend: false });
      await port.setSignals({ dataTerminalReady: true, requestToSend: true });
      await port.setSignals({ dataTerminalReady: false, requestToSend: false });
      expect(lines.mock.calls.map(([call]) => call)).toEqual([
        { dtr: true, rts: true },
        { dtr: true, rts: false },
        { dtr: true, rts: false },
        { dtr: true, rts: true },
        { dtr: false, rts: true },
        { dtr: false, rts: false },
      ]);
    });
  });

  test('of a closed port are an InvalidStateError', async () => {
    expect(await nameOf(makePort().port.setSignals({ requestToSend: true }))).toBe('InvalidStateError');
  });
});

describe('streams', () => {
  test('carry bytes both ways', async () => {
    const { clock, port } = makePort();
    await clock.advance(100);
    await clock.run(async () => {
      await port.open({ baudRate: 115_200 });
      const writer = port.writable!.getWriter();
      await writer.write(Uint8Array.of(1, 2, 3));
      writer.releaseLock();
      const reader = port.readable!.getReader();
      expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2, 3));
      reader.releaseLock();
    });
  });

  test('a cancelled readable is followed by a new one', async () => {
    const { clock, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200 });
      const first = port.readable!;
      await first.cancel();
      expect(port.readable).not.toBe(first);
      expect(port.readable!.locked).toBe(false);
    });
  });

  test('a write resolves when the buffers have taken it, a close when all has left', async () => {
    const { clock, board, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200, bufferSize: 16_384 });
      const writer = port.writable!.getWriter();
      await writer.write(new Uint8Array(10_000));
      expect(board.line.queued('to-device')).toBeGreaterThan(9000);
      await writer.close();
      expect(board.line.queued('to-device')).toBe(0);
      expect(port.writable).not.toBeNull();
    });
  });

  test('closing the port throws queued bytes away and drops both lines', async () => {
    const { clock, board, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200, bufferSize: 16_384 });
      const writer = port.writable!.getWriter();
      await writer.write(new Uint8Array(10_000));
      writer.releaseLock();
      const lines = vi.spyOn(board, 'setModemLines');
      await port.close();
      expect(board.line.queued('to-device')).toBe(0);
      expect(lines.mock.calls).toEqual([[{ dtr: false, rts: false }]]);
      expect(port.readable).toBeNull();
      expect(port.writable).toBeNull();
      await port.open({ baudRate: 115_200 });
      expect(port.readable).not.toBeNull();
    });
  });

  test('a port whose streams are locked does not close', async () => {
    const { clock, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200 });
      port.readable!.getReader();
      expect(await nameOf(port.close())).toBe('TypeError');
    });
  });
});

describe('a pulled cable', () => {
  test('rejects the pending read, lets the first write through and fails the rest', async () => {
    const { clock, board, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 115_200 });
      const reader = port.readable!.getReader();
      const writer = port.writable!.getWriter();
      const read = errorOf(reader.read());
      board.pullCable();
      expect(await read).toMatchObject({ name: 'NetworkError', message: 'The device has been lost.' });
      await writer.write(Uint8Array.of(1));
      expect(await nameOf(writer.write(Uint8Array.of(2)))).toBe('NetworkError');
      expect(port.readable).toBeNull();
      expect(port.writable).toBeNull();
      expect(port.connected).toBe(false);
      expect(await nameOf(port.setSignals({ requestToSend: true }))).toBe('NetworkError');
      await port.close();
      expect(await nameOf(port.open({ baudRate: 115_200 }))).toBe('NetworkError');
    });
  });

  test('lets go of a write that waits', async () => {
    const { clock, board, port } = makePort();
    await clock.run(async () => {
      await port.open({ baudRate: 300 });
      const write = port.writable!.getWriter().write(new Uint8Array(100_000));
      board.pullCable();
      await write;
    });
  });

  test('leaves the object dead when the board is plugged in again; a new one works', async () => {
    const { clock, board, port } = makePort();
    board.pullCable();
    board.plugIn();
    expect(await clock.run(nameOf(port.open({ baudRate: 115_200 })))).toBe('NetworkError');
    const next = new VirtualPort(board);
    await clock.run(next.open({ baudRate: 115_200 }));
  });
});

describe('a bench', () => {
  test('lists what is plugged in, and tells who comes and goes', async () => {
    const clock = new ModelClock();
    const board = new VirtualEsp32({ chip: 'esp32', clock, startFirmware });
    const bench = new VirtualBench(board);
    const log: string[] = [];
    const ports: VirtualPort[] = [];
    bench.onArrived((port) => {
      log.push('arrived');
      ports.push(port);
    });
    bench.onLeft((port) => {
      log.push('left');
      ports.push(port);
    });
    const [first] = await bench.list();
    board.pullCable();
    expect(await bench.list()).toEqual([]);
    board.plugIn();
    expect(log).toEqual(['left', 'arrived']);
    expect(ports[0]).toBe(first);
    expect(ports[1]).not.toBe(first);
    expect(await bench.request()).toBe(ports[1]);
  });

  test('a native USB board comes back as another port after each reset', async () => {
    const clock = new ModelClock();
    const board = new VirtualEsp32({ chip: 'esp32c3', clock, wiring: 'usb-serial-jtag', startFirmware });
    const bench = new VirtualBench(board);
    await clock.advance(100);
    const before = bench.portOf(board)!;
    const seen = new Promise<VirtualPort>((resolve) => bench.onArrived(resolve));
    await clock.run(async () => {
      await before.open({ baudRate: 115_200 });
      await before.setSignals({ dataTerminalReady: true, requestToSend: false });
      await before.setSignals({ dataTerminalReady: true, requestToSend: true });
      expect(
        await nameOf(
          before
            .setSignals({ dataTerminalReady: false, requestToSend: true })
            .then(() => before.setSignals({ requestToSend: false })),
        ),
      ).toBe('NetworkError');
      const left = clock.now();
      const after = await seen;
      expect(clock.now() - left).toBeGreaterThan(300);
      expect(after).not.toBe(before);
      expect(after.getInfo()).toEqual(before.getInfo());
      expect(board.inDownloadMode).toBe(true);
      await after.open({ baudRate: 115_200 });
    });
  });

  test('the port of a USB-OTG board is there in download mode only', async () => {
    const clock = new ModelClock();
    const board = new VirtualEsp32({ chip: 'esp32s3', clock, wiring: 'usb-otg', boot: 'download', startFirmware });
    const bench = new VirtualBench(board);
    await clock.advance(1000);
    expect((await bench.list()).length).toBe(1);
    board.holdBootButton(false);
    board.pressReset();
    await clock.advance(1000);
    expect(await bench.list()).toEqual([]);
    board.holdBootButton(true);
    board.pressReset();
    await clock.advance(1000);
    expect((await bench.list()).length).toBe(1);
  });

  test("a user who closes the picker is an error of the bench's choice", async () => {
    const bench = new VirtualBench();
    expect(await nameOf(bench.request())).toBe('NotFoundError');
    bench.onNothingChosen = () => new RangeError('none');
    expect(await nameOf(bench.request())).toBe('RangeError');
  });
});
