import { expect, test } from 'vitest';
import { ModelClock } from '#model-clock.ts';
import { DeviceError } from '#device/device-error.ts';
import { Link } from '#device/link.ts';
import { encodeSlip } from '#device/slip.ts';
import { ScriptedPort } from './support/scripted-port.ts';

interface Bench {
  clock: ModelClock;
  port: ScriptedPort;
  link: Link;
}

/** Runs a test in modelled time, with an open link. */
async function withLink(body: (bench: Bench) => Promise<void>): Promise<void> {
  const clock = new ModelClock();
  const port = new ScriptedPort();
  const link = new Link(port, clock);
  await clock.run(async () => {
    await link.connect(115_200);
    await body({ clock, port, link });
  });
}

test('opening releases RTS before DTR, so that no way between the two calls pulls EN', () =>
  withLink(async ({ port }) => {
    expect(port.signals).toEqual([
      { dataTerminalReady: true, requestToSend: false },
      { dataTerminalReady: false, requestToSend: false },
    ]);
    expect(port.opened).toEqual([115_200]);
  }));

test('setRTS says DTR as it is, unlike the transport of esptool-js', () =>
  withLink(async ({ port, link }) => {
    await link.setSignals(true, false);
    await link.setSignals(false, false);
    await link.setRTS(true);
    await link.setDTR(true);
    expect(port.signals.slice(-2)).toEqual([
      { dataTerminalReady: false, requestToSend: true },
      { dataTerminalReady: true, requestToSend: true },
    ]);
  }));

test('a frame reaches the one who waits, without any time going by', () =>
  withLink(async ({ clock, port, link }) => {
    const waiting = link.read(3000);
    port.send(encodeSlip(Uint8Array.of(1, 2, 3)));
    expect([...(await waiting)]).toEqual([1, 2, 3]);
    expect(clock.now()).toBe(0);
  }));

test('frames are kept until somebody reads, and flushed on request', () =>
  withLink(async ({ clock, port, link }) => {
    port.send(encodeSlip(Uint8Array.of(1)));
    port.send(encodeSlip(Uint8Array.of(2)));
    await clock.advance(1);
    expect([...(await link.read(10))]).toEqual([1]);
    link.flushInput();
    await expect(link.read(10)).rejects.toMatchObject({ code: 'no-reply' });
  }));

test('reading ends after its time, not before', () =>
  withLink(async ({ clock, link }) => {
    await expect(link.read(700)).rejects.toMatchObject({ code: 'no-reply' });
    expect(clock.now()).toBe(700);
  }));

test('a pulled cable is told at once to a reader, a pause and every later call', () =>
  withLink(async ({ clock, port, link }) => {
    const reading = link.read(60_000);
    const pausing = link.pause(60_000);
    port.lose();
    await expect(reading).rejects.toMatchObject({ code: 'port-lost' });
    await expect(pausing).rejects.toMatchObject({ code: 'port-lost' });
    await expect(link.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'port-lost' });
    await expect(link.setSignals(true, false)).rejects.toMatchObject({ code: 'port-lost' });
    expect(clock.now()).toBe(0);
  }));

test('a port without modem lines opens all the same, and says so when a reset needs them', async () => {
  const clock = new ModelClock();
  const port = new ScriptedPort();
  port.setSignals = () => Promise.reject(new DOMException('Failed to set control signals.', 'NetworkError'));
  const link = new Link(port, clock);
  await clock.run(async () => {
    await link.connect();
    await expect(link.setSignals(true, false)).rejects.toMatchObject({ code: 'no-modem-lines' });
    port.send(encodeSlip(Uint8Array.of(1)));
    expect([...(await link.read(10))]).toEqual([1]);
  });
});

test('a stream that ends is a lost port too', () =>
  withLink(async ({ port, link }) => {
    const reading = link.read(60_000);
    port.end();
    await expect(reading).rejects.toMatchObject({ code: 'port-lost' });
  }));

test('a word of the platform that the port has left is enough', () =>
  withLink(async ({ link }) => {
    const reading = link.read(60_000);
    link.lose();
    await expect(reading).rejects.toMatchObject({ code: 'port-lost' });
  }));

test.each(['BufferOverrunError', 'FramingError', 'BreakError', 'ParityError'])(
  'after a %s the new stream is read',
  (name) =>
    withLink(async ({ clock, port, link }) => {
      port.stumble(name);
      await clock.advance(1);
      port.send(encodeSlip(Uint8Array.of(7)));
      expect([...(await link.read(100))]).toEqual([7]);
    }),
);

test('an abort ends reading, writing and pausing with its reason, and later jobs are free of it', () =>
  withLink(async ({ clock, port, link }) => {
    const waits: (() => Promise<unknown>)[] = [
      () => link.read(60_000),
      () => link.pause(60_000),
      () => link.send(new Uint8Array(10)),
    ];
    for (const wait of waits) {
      const controller = new AbortController();
      port.stalled = true;
      const job = link.during(controller.signal, wait);
      controller.abort();
      await expect(job).rejects.toMatchObject({ name: 'AbortError' });
    }
    expect(clock.now()).toBe(0);
    await expect(link.during(undefined, () => link.pause(5))).resolves.toBeUndefined();
  }));

test('a port that takes no bytes is told as stalled', () =>
  withLink(async ({ port, link }) => {
    port.stalled = true;
    await expect(link.write(new Uint8Array(100))).rejects.toMatchObject({ code: 'port-stalled' });
  }));

test.each(['idle', 'reading', 'stalled', 'lost'])('closing leaves the port closed and unlocked: %s', (state) =>
  withLink(async ({ clock, port, link }) => {
    const start = clock.now();
    let told: Promise<unknown> = Promise.resolve();
    if (state === 'reading') told = link.read(60_000).catch((error: unknown) => error);
    if (state === 'stalled') {
      port.stalled = true;
      told = link.write(new Uint8Array(10)).catch((error: unknown) => error);
    }
    if (state === 'lost') port.lose();
    await link.disconnect();
    const error = await told;
    if (error !== undefined) expect((error as DeviceError).code).toBe('port-closed');
    expect(port.isOpen).toBe(false);
    expect(clock.now() - start).toBeLessThanOrEqual(2000);
    await expect(link.read(10)).rejects.toBeInstanceOf(DeviceError);
  }),
);

test('reopening changes the rate and says the lines again', () =>
  withLink(async ({ port, link }) => {
    await link.reopen(921_600);
    expect(port.opened).toEqual([115_200, 921_600]);
    expect(link.baudrate).toBe(921_600);
    expect(port.signals.at(-1)).toEqual({ dataTerminalReady: false, requestToSend: false });
  }));

test('an open that is given up does not leave the port open', async () => {
  const clock = new ModelClock();
  const port = new ScriptedPort();
  const link = new Link(port, clock);
  let letOpen = (): void => undefined;
  const open = port.open.bind(port);
  port.open = async (options) => {
    await new Promise<void>((resolve) => (letOpen = resolve));
    await open(options);
  };
  await clock.run(async () => {
    const controller = new AbortController();
    const opening = link.during(controller.signal, () => link.connect());
    controller.abort();
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    letOpen();
    await clock.advance(10);
    expect(port.isOpen).toBe(false);
  });
});

test('nothing is written to the console', async () => {
  const said: unknown[] = [];
  const log = console.log;
  console.log = (...words: unknown[]) => void said.push(words);
  try {
    await withLink(async ({ link }) => {
      link.trace('something');
      await link.disconnect();
    });
  } finally {
    console.log = log;
  }
  expect(said).toEqual([]);
});
