import { RateMeter } from '#workflows/rate-meter.ts';
import { expect, test } from 'vitest';

function meterAfter(seconds: number, bytesASecond: number): RateMeter {
  const meter = new RateMeter();
  for (let at = 0; at <= seconds * 1000; at += 100) meter.add(at, (at * bytesASecond) / 1000);
  return meter;
}

test('nothing is known at first', () => {
  expect(new RateMeter().rate()).toBeUndefined();
  expect(new RateMeter().secondsLeft(1000)).toBeUndefined();
  expect(meterAfter(0.5, 80_000).rate()).toBeUndefined();
});

test('the speed is that of what was acknowledged, and the time left follows from it', () => {
  const meter = meterAfter(4, 80_000);
  expect(meter.rate()).toBeCloseTo(80_000);
  expect(meter.secondsLeft(800_000)).toBeCloseTo(6);
});

test('a time left is not guessed from the first few percent', () => {
  expect(meterAfter(2, 80_000).secondsLeft(100_000_000)).toBeUndefined();
});

test('a change of speed shows after some seconds', () => {
  const meter = meterAfter(10, 80_000);
  for (let at = 10_100; at <= 18_000; at += 100) meter.add(at, 800_000 + ((at - 10_000) * 20_000) / 1000);
  expect(meter.rate()).toBeCloseTo(20_000);
});

test('what stands still has no speed once the window has passed, and what begins anew has none yet', () => {
  const meter = meterAfter(4, 80_000);
  expect(meter.rate(6500)).toBeCloseTo((2.5 / 5) * 80_000);
  expect(meter.rate(9100)).toBeUndefined();
  const other = meterAfter(4, 80_000);
  other.add(4100, 1000);
  expect(other.rate()).toBeUndefined();
});
