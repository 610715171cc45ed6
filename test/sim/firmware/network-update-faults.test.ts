/** Updates over the network while something goes wrong: on the way, on the board, in its flash. */
import { describe, expect, test } from 'vitest';
import { padBytes } from '#formats/bytes.ts';
import { type Fault, seededRandom } from '#sim/faults.ts';
import { NETWORK_FAULT_KINDS, type NetworkFault, randomNetworkFault } from '#sim/network/network-faults.ts';
import { appFor } from '../support/boot-flash.ts';
import { dataImage } from '../support/house-board.ts';
import { BOARD, NetworkBoard } from '../support/network-board.ts';

const app = appFor('esp32', { version: '2.0.0', constants: 8000 });
const data = padBytes(dataImage('NEW-DATA'), 9000, 0x5a);
const OLD = dataImage('OLD-DATA');

const boardWith = (faults: NetworkFault[] = [], boardFaults: Fault[] = []) =>
  new NetworkBoard({ files: { '/app': app, '/data': data }, content: { ota_1: OLD }, faults, boardFaults }).online();

/** The update to the new app, and what the page shows then. */
async function updateWith(...faults: NetworkFault[]): Promise<{ bench: NetworkBoard; page: string }> {
  const bench = await boardWith(faults);
  await bench.update('/app', 90_000);
  return { bench, page: await bench.page() };
}

/** What a clean update downloads, and how many flash operations there are from the board's start to its end. */
const clean = await (async () => {
  const { bench } = await updateWith();
  return { downloaded: bench.wifi.faults.passed.opened, operations: bench.board.faults.operations };
})();

test('a clean update downloads the file and the heads of two answers', () => {
  expect(clean.downloaded).toBeGreaterThan(app.length);
  expect(clean.downloaded).toBeLessThan(app.length + 300);
  expect(clean.operations).toBeGreaterThan(10);
});

describe('the board goes on by itself when', () => {
  test.each([
    { kind: 'stall', at: 3000, ms: 45_000 },
    { kind: 'slow', at: 500, ms: 60_000, bytesPerMs: 1 },
    { kind: 'wifi-gone', at: 3000, ms: 15_000 },
    { kind: 'unreachable', at: 3000, ms: 15_000 },
    { kind: 'refuse', at: 3000, ms: 15_000 },
    { kind: 'new-address', at: 3000, address: '192.168.1.99' },
  ] as const)('$kind', async (fault) => {
    const { bench, page } = await updateWith(fault);
    expect(page).toContain('App Partitoin: ota_1<br>project: two_slot_demo<br>Version: 2.0.0');
    expect(bench.wifi.faults.pending).toBe(0);
    expect(bench.wifi.address).toBe(fault.kind === 'new-address' ? fault.address : BOARD);
  });
});

describe('the board stays on the old app, and can be asked again, after', () => {
  test.each([
    { kind: 'cut', at: 3000 },
    { kind: 'wifi-gone', at: 3000, ms: 30_000 },
    { kind: 'refuse', at: 20, ms: 15_000 },
    { kind: 'restart', at: 3000 },
    { kind: 'power-cut', at: 3000 },
    { kind: 'drop', at: 3000 },
  ] as const)('$kind', async (fault) => {
    const { bench, page } = await updateWith(fault);
    expect(page).toContain('App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 1.2.3');
    await bench.update('/app');
    expect(await bench.page()).toContain('Version: 2.0.0');
  });
});

test('Wi-Fi that is gone: nobody listens, connections wait', async () => {
  const bench = await boardWith();
  bench.wifi.goAway(4000);
  const { text } = await bench.ask('GET / HTTP/1.1\r\n\r\n', { ms: 3900 });
  expect(text).toBe('');
  await bench.advance(1000);
  expect(await bench.page()).toContain('Partitoin');
});

test('a supply that fails in any flash operation of an app update leaves the old app or the new one', async () => {
  const versions = new Set<string>();
  for (let operation = 0; operation < clean.operations; operation++) {
    for (const share of [0, 0.02, 0.9]) {
      const bench = await boardWith([], [{ kind: 'power-cut', operation, share }]);
      await bench.update('/app', 20_000).catch(() => bench.advance(20_000));
      const page = await bench.page();
      versions.add(/Version: ([\d.]+)/.exec(page)?.[1] ?? 'none');
    }
  }
  expect([...versions].sort()).toEqual(['1.2.3', '2.0.0']);
});

test.each(Array.from({ length: 40 }, (_, seed) => ({ seed })))(
  'fault $seed: the board runs an app, and trying again completes app and data',
  async ({ seed }) => {
    const random = seededRandom(seed);
    const fault = randomNetworkFault(NETWORK_FAULT_KINDS[seed % NETWORK_FAULT_KINDS.length]!, clean, random);
    const bench = await boardWith([fault]);
    await bench.update('/app', 100_000);
    // The user's hand, for a board that waits for a dead connection.
    bench.board.powerCycle();
    bench.wifi.faults.clear();
    await bench.advance(60_000);
    if ((await bench.page()).includes('App Partitoin: ota_0')) await bench.update('/app');
    expect(await bench.page()).toContain('App Partitoin: ota_1<br>project: two_slot_demo<br>Version: 2.0.0');
    await bench.update('/data');
    expect(bench.slot('ota_0', data.length)).toEqual(data);
    expect(bench.slot('ota_1', app.length)).toEqual(new Uint8Array(app));
  },
);
