import { beforeEach, describe, expect, test } from 'vitest';
import { ModelClock } from '#model-clock.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { MemoryLan } from '#sim/network/memory-lan.ts';

let clock: ModelClock;
let lan: MemoryLan;
let a: Lan;
let b: Lan;

beforeEach(() => {
  clock = new ModelClock();
  lan = new MemoryLan(clock, { latency: 5, bytesPerMs: 100 });
  a = lan.host('10.0.0.1');
  b = lan.host('10.0.0.2');
});

/** What a socket goes through: bytes, `end`, `closed`, `broken`. */
function record(socket: LanSocket): (string | number)[] {
  const events: (string | number)[] = [];
  socket.onData = (bytes) => events.push(bytes.length);
  socket.onEnd = () => events.push('end');
  socket.onClose = (broken) => events.push(broken ? 'broken' : 'closed');
  return events;
}

async function pair(): Promise<{ near: LanSocket; far: LanSocket }> {
  let far: LanSocket | undefined;
  b.listen(80, (socket) => (far = socket));
  const near = await clock.run(a.connect('10.0.0.2', 80));
  return { near, far: far! };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const sum = (events: (string | number)[]): number =>
  events.reduce<number>((total, event) => total + (typeof event === 'number' ? event : 0), 0);

test('each end knows the address of the other', async () => {
  const { near, far } = await pair();
  expect(near.remote).toEqual({ host: '10.0.0.2', port: 80 });
  expect(far.remote.host).toBe('10.0.0.1');
});

test('bytes take their time on the wire and arrive whole and in order', async () => {
  const { near, far } = await pair();
  const got: number[] = [];
  far.onData = (more) => got.push(...more);
  near.send(Uint8Array.from({ length: 3000 }, (_, index) => index & 0xff));
  near.send(Uint8Array.of(1, 2, 3));
  await clock.advance(4);
  expect(got).toEqual([]);
  // 3003 bytes at 100 a millisecond, and 5 ms under way.
  await clock.advance(30);
  expect(got.length).toBeLessThan(3003);
  await clock.advance(2);
  expect(got).toEqual([...Array.from({ length: 3000 }, (_, index) => index & 0xff), 1, 2, 3]);
});

test('both directions end by themselves, after what was sent', async () => {
  const { near, far } = await pair();
  const [here, there] = [record(near), record(far)];
  near.send(bytes(10));
  near.end();
  await clock.advance(50);
  expect(there).toEqual([10, 'end']);
  far.send(bytes(20));
  far.end();
  await clock.advance(50);
  expect(here).toEqual([20, 'end', 'closed']);
  expect(there).toEqual([10, 'end', 'closed']);
});

test('a destroyed connection is broken for both', async () => {
  const { near, far } = await pair();
  const [here, there] = [record(near), record(far)];
  near.send(bytes(5000));
  near.destroy();
  expect(here).toEqual(['broken']);
  await clock.advance(50);
  expect(there.at(-1)).toBe('broken');
  far.send(bytes(1));
  await clock.advance(50);
  expect(here).toEqual(['broken']);
});

test('who pauses holds the sender back, with no more than a window under way', async () => {
  const { near, far } = await pair();
  const there = record(far);
  far.pause();
  near.send(bytes(50_000));
  near.end();
  await clock.advance(5000);
  expect(there).toEqual([]);
  far.resume();
  expect(sum(there)).toBe(5744);
  await clock.advance(5000);
  expect(sum(there)).toBe(50_000);
  expect(there.at(-1)).toBe('end');
});

describe('no connection', () => {
  test('where nobody listens: refused, soon', async () => {
    await expect(clock.run(a.connect('10.0.0.2', 81))).rejects.toMatchObject({ code: 'refused' });
    expect(clock.now()).toBe(10);
  });

  test('where nobody is: unreachable, after seconds', async () => {
    await expect(clock.run(a.connect('10.0.0.9', 80))).rejects.toMatchObject({ code: 'unreachable' });
    expect(clock.now()).toBeGreaterThan(1000);
  });

  test('where somebody has left', async () => {
    const { far } = await pair();
    const there = record(far);
    b.close();
    expect(there).toEqual(['broken']);
    await expect(clock.run(a.connect('10.0.0.2', 80))).rejects.toMatchObject({ code: 'unreachable' });
    lan.host('10.0.0.2').listen(80, () => undefined);
    await expect(clock.run(a.connect('10.0.0.2', 80))).resolves.toBeDefined();
  });

  test('where the listening has ended, while connections that are made stay', async () => {
    const there: (string | number)[][] = [];
    const stop = b.listen(80, (socket) => there.push(record(socket)));
    const near = await clock.run(a.connect('10.0.0.2', 80));
    stop();
    await expect(clock.run(a.connect('10.0.0.2', 80))).rejects.toMatchObject({ code: 'refused' });
    near.send(bytes(3));
    await clock.advance(50);
    expect(there).toEqual([[3]]);
  });
});

test('an address or a port is taken once', () => {
  expect(() => lan.host('10.0.0.1')).toThrow(RangeError);
  b.listen(80, () => undefined);
  expect(() => b.listen(80, () => undefined)).toThrow(RangeError);
});
