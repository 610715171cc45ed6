import { RateMeter } from '#app/state/rate-meter.ts';
import { expect, test } from 'vitest';

function meterAfter(seconds: number, bytesASecond: number): RateMeter {
  const meter = new RateMeter();
  for (let at = 0; at <= seconds * 1000; at += 100) meter.add(at, (at * bytesASecond) / 1000);
  return meter;
}

test('nothing is known at first', () => {
  expect(new RateMeter().rate).toBeUndefined();
  expect(new RateMeter().secondsLeft(1000)).toBeUndefined();
  expect(meterAfter(0.5, 80_000).rate).toBeUndefined();
});

test('the speed is that of what was acknowledged, and the time left follows from it', () => {
  const meter = meterAfter(4, 80_000);
  expect(meter.rate).toBeCloseTo(80_000);
  expect(meter.secondsLeft(800_000)).toBeCloseTo(6);
});

test('a time left is not guessed from the first few percent', () => {
  expect(meterAfter(2, 80_000).secondsLeft(100_000_000)).toBeUndefined();
});

test('a change of speed shows after some seconds', () => {
  const meter = meterAfter(10, 80_000);
  for (let at = 10_100; at <= 18_000; at += 100) meter.add(at, 800_000 + ((at - 10_000) * 20_000) / 1000);
  expect(meter.rate).toBeCloseTo(20_000);
});
