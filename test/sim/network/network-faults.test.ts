import { beforeEach, describe, expect, test } from 'vitest';
import { ModelClock } from '#model-clock.ts';
import { seededRandom } from '#sim/faults.ts';
import { FaultyLan } from '#sim/network/faulty-lan.ts';
import { type LanSocket } from '#sim/network/lan.ts';
import { MemoryLan } from '#sim/network/memory-lan.ts';
import {
  type BoardFault,
  NETWORK_FAULT_KINDS,
  type NetworkFault,
  NetworkFaults,
  randomNetworkFault,
} from '#sim/network/network-faults.ts';

const SERVER = '10.0.0.1';
const ANSWER = 10_000;

let clock: ModelClock;
let lan: MemoryLan;
let board: FaultyLan;
let faults: NetworkFaults;
let boardFaults: BoardFault[];
let served: { broken: number; received: number };

/** A host with these faults, and a server that sends so many bytes to whoever connects and asks. */
function setUp(...list: NetworkFault[]): void {
  clock = new ModelClock();
  lan = new MemoryLan(clock, { latency: 1, bytesPerMs: 1000 });
  faults = new NetworkFaults(clock, list);
  boardFaults = [];
  board = new FaultyLan(lan.host('10.0.0.2'), { clock, faults, onBoardFault: (fault) => boardFaults.push(fault) });
  served = { broken: 0, received: 0 };
  lan.host(SERVER).listen(80, (socket) => {
    socket.onData = (bytes) => {
      served.received += bytes.length;
      socket.send(new Uint8Array(ANSWER));
      socket.end();
    };
    socket.onEnd = () => socket.end();
    socket.onClose = (broken) => (served.broken += broken ? 1 : 0);
  });
}

/** What a download brings within the time, and how long it took to its end. */
async function download(ms = 60_000) {
  const socket: LanSocket = await board.connect(SERVER, 80);
  const start = clock.now();
  const seen = { bytes: 0, longestPause: 0, end: '', took: 0 };
  let last = start;
  socket.onData = (bytes) => {
    seen.longestPause = Math.max(seen.longestPause, clock.now() - last);
    last = clock.now();
    seen.bytes += bytes.length;
  };
  await new Promise<void>((resolve) => {
    const over = (end: string): void => {
      seen.end ||= end;
      seen.took = clock.now() - start;
      resolve();
    };
    socket.onEnd = () => over('end');
    socket.onClose = () => over('broken');
    clock.after(ms, () => over('silence'));
    socket.send(new Uint8Array(10));
  });
  socket.end();
  return seen;
}

const run = () => clock.run(download());

beforeEach(() => setUp());

test('without faults all arrives, and what was downloaded is counted', async () => {
  expect(await run()).toMatchObject({ bytes: ANSWER, end: 'end' });
  expect(faults.passed).toEqual({ opened: ANSWER, accepted: 0 });
});

describe('at a byte of a download', () => {
  test('a stall: nothing passes for that time, then everything', async () => {
    setUp({ kind: 'stall', at: 4000, ms: 2500 });
    const seen = await run();
    expect(seen).toMatchObject({ bytes: ANSWER, end: 'end' });
    expect(seen.longestPause).toBeGreaterThanOrEqual(2495);
    expect(faults.pending).toBe(0);
  });

  test('a slow network', async () => {
    setUp({ kind: 'slow', at: 0, ms: 100_000, bytesPerMs: 2 });
    const seen = await run();
    expect(seen).toMatchObject({ bytes: ANSWER, end: 'end' });
    expect(seen.took).toBeGreaterThan(4000);
  });

  test('a cut: that byte is the first that does not arrive, and both sides know', async () => {
    setUp({ kind: 'cut', at: 4001 });
    expect(await run()).toMatchObject({ bytes: 4001, end: 'broken' });
    await clock.advance(10);
    expect(served.broken).toBe(1);
    expect(await run()).toMatchObject({ bytes: ANSWER, end: 'end' });
  });

  test('a dead connection: silence, and nobody is told', async () => {
    setUp({ kind: 'drop', at: 4001 });
    expect(await run()).toMatchObject({ bytes: 4001, end: 'silence' });
    expect(served.broken).toBe(0);
    expect(await run()).toMatchObject({ bytes: ANSWER, end: 'end' });
  });

  test('refused connections, for a time', async () => {
    setUp({ kind: 'refuse', at: 4000, ms: 1000 });
    expect(await run()).toMatchObject({ bytes: ANSWER });
    await expect(run()).rejects.toMatchObject({ code: 'refused' });
    await clock.advance(1000);
    expect(await run()).toMatchObject({ bytes: ANSWER });
  });

  test('nobody to be found: connections wait for it, or are given up', async () => {
    setUp({ kind: 'unreachable', at: ANSWER - 1, ms: 15_000 }, { kind: 'unreachable', at: 2 * ANSWER - 1, ms: 90_000 });
    await run();
    await run();
    const start = clock.now();
    await expect(run()).rejects.toMatchObject({ code: 'unreachable' });
    expect(clock.now() - start).toBe(18_000);
  });

  test.each([
    { kind: 'restart', at: 3 },
    { kind: 'power-cut', at: 3 },
    { kind: 'wifi-gone', at: 3, ms: 5 },
    { kind: 'new-address', at: 3, address: '10.0.0.3' },
  ] as const)('what is for the board is handed on: $kind', async (fault) => {
    setUp(fault);
    await run();
    expect(boardFaults).toEqual([fault]);
  });
});

test('a fault of a server counts what it sends', async () => {
  setUp({ kind: 'cut', side: 'accepted', at: 5 });
  board.listen(80, (socket) => (socket.onData = () => socket.send(new Uint8Array(10))));
  expect(await run()).toMatchObject({ bytes: ANSWER });
  const socket = await clock.run(lan.host('10.0.0.3').connect('10.0.0.2', 80));
  const seen: (number | string)[] = [];
  socket.onData = (bytes) => seen.push(bytes.length);
  socket.onEnd = () => seen.push('end');
  socket.send(new Uint8Array(1));
  await clock.advance(10);
  expect(seen).toEqual([5, 'end']);
  expect(faults).toMatchObject({ pending: 0, passed: { accepted: 10 } });
});

test('faults are counted from when they are added, and can be taken back', async () => {
  await run();
  faults.add({ kind: 'cut', at: 100 });
  expect(await run()).toMatchObject({ bytes: 100 });
  faults.add({ kind: 'cut', at: 100 });
  faults.clear();
  expect(await run()).toMatchObject({ bytes: ANSWER });
});

test('random faults lie within the run and are the same for the same seed', () => {
  const draw = (seed: number): NetworkFault[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, (_, index) =>
      randomNetworkFault(NETWORK_FAULT_KINDS[index % NETWORK_FAULT_KINDS.length]!, { downloaded: 5000 }, random),
    );
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  for (const fault of draw(7)) expect(fault.at).toBeLessThan(5000);
  expect(new Set(draw(7).map(({ kind }) => kind)).size).toBe(NETWORK_FAULT_KINDS.length);
});
