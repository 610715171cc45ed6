import { ModelClock } from '#model-clock.ts';
import { concatBytes } from '#formats/bytes.ts';
import { type LineOptions, SerialLine } from '#sim/board/line.ts';
import { expect, test } from 'vitest';

function makeLine(options: Partial<LineOptions> = {}) {
  const clock = new ModelClock();
  const arrived: { at: number; bytes: Uint8Array }[] = [];
  const line = new SerialLine({
    clock,
    kind: 'uart',
    deliver: (_, bytes) => arrived.push({ at: clock.now(), bytes }),
    ...options,
  });
  return { clock, line, arrived, all: () => concatBytes(...arrived.map(({ bytes }) => bytes)) };
}

const data = Uint8Array.from({ length: 2000 }, (_, index) => index);

test.each([
  { baud: 115_200, ms: 2000 / 11.52 },
  { baud: 921_600, ms: 2000 / 92.16 },
])('carries ten bits a byte at $baud baud', async ({ baud, ms }) => {
  const { clock, line, arrived, all } = makeLine();
  line.hostBaud = line.deviceBaud = baud;
  line.send('to-device', data);
  await clock.advance(1000);
  expect(all()).toEqual(data);
  expect(arrived.at(-1)!.at).toBeGreaterThan(ms);
  expect(arrived.at(-1)!.at).toBeLessThan(ms + 3);
  expect(arrived.length).toBeGreaterThan(2);
});

test('sends what is queued at the rate it was queued with, though the sender has another rate since', async () => {
  const { clock, line, all } = makeLine();
  line.send('to-host', data);
  line.deviceBaud = 921_600;
  await clock.advance(1000);
  expect(all()).toEqual(data);
});

test('gives garbage where the rates differ, the same each time', async () => {
  const [first, second] = [makeLine(), makeLine()];
  for (const { line, clock } of [first, second]) {
    line.hostBaud = 74_880;
    line.send('to-device', data);
    await clock.advance(1000);
  }
  expect(first.all()).not.toEqual(data);
  expect(first.all()).toEqual(second.all());
  const near = makeLine();
  near.line.hostBaud = 116_000;
  near.line.send('to-device', data);
  await near.clock.advance(1000);
  expect(near.all()).toEqual(data);
});

test('gives garbage above the rate that the adapter carries', async () => {
  const { clock, line, all } = makeLine({ maxBaud: 460_800 });
  line.hostBaud = line.deviceBaud = 921_600;
  line.send('to-device', data);
  await clock.advance(1000);
  expect(all()).not.toEqual(data);
});

test('native USB knows no rate and is fast', async () => {
  const { clock, line, arrived, all } = makeLine({ kind: 'usb' });
  line.hostBaud = 300;
  line.send('to-device', data);
  await clock.advance(1000);
  expect(all()).toEqual(data);
  expect(arrived.at(-1)!.at).toBeLessThan(5);
});

test.each([1, 16])('every byte spends %i ms in the adapter, whether the wire was busy or not', async (latency) => {
  const { clock, line, arrived } = makeLine({ latency });
  const byteMs = 10_000 / 115_200;
  line.send('to-host', Uint8Array.of(1));
  await clock.advance(latency / 2);
  line.send('to-host', Uint8Array.of(2));
  await clock.advance(100);
  expect(arrived.map(({ at }) => at)).toEqual([
    expect.closeTo(latency + byteMs),
    expect.closeTo(1.5 * latency + byteMs),
  ]);
});

test('tells when the sender has room again', async () => {
  const { clock, line } = makeLine({ kind: 'usb', usbRate: 10, latency: 50 });
  line.send('to-host', data);
  expect(line.unsentMs('to-host', 0)).toBe(200);
  expect(line.unsentMs('to-host', 500)).toBe(150);
  await clock.advance(180);
  expect(line.unsentMs('to-host', 500)).toBe(0);
  expect(line.queued('to-host')).toBeGreaterThan(500);
});

test('an instant line takes no time', async () => {
  const { clock, line, all } = makeLine({ kind: 'instant' });
  line.send('to-device', data);
  await clock.advance(0);
  expect(all()).toEqual(data);
});

test('throws away what has not arrived, and lets go of those who wait for it', async () => {
  const { clock, line, all } = makeLine();
  line.send('to-device', data);
  let below = false;
  void line.whenBelow('to-device', 100).then(() => (below = true));
  await clock.advance(50);
  expect(below).toBe(false);
  expect(line.queued('to-device')).toBeGreaterThan(1000);
  line.discard('to-device');
  await clock.advance(500);
  expect(below).toBe(true);
  expect(line.queued('to-device')).toBe(0);
  expect(all().length).toBeLessThan(700);
});
