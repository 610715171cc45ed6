import { describe, expect, test } from 'vitest';
import { type Candidate } from '#workflows/update-state.ts';
import { findBoard, type FindSurroundings } from '../../../src/station/network/find-board.ts';
import { type Neighbour } from '../../../src/station/network/neighbours.ts';
import { lookAtAll } from '../../../src/station/network/subnet-scan.ts';

const MAC = '7c:df:a1:00:3f:01';
const OTHER_MAC = '7c:df:a1:00:3f:02';

const board = (address: string, project = 'voice-box'): Candidate => ({
  address,
  project,
  version: '1',
  running: 'PA',
});

interface Lan {
  boards: Candidate[];
  neighbours?: Neighbour[];
  announced?: string[];
  scanned?: string[];
  /** Who becomes known once it was spoken to. */
  learned?: Neighbour[];
}

/** A network with these boards, and what was done in it. */
function lan({ boards, neighbours = [], announced = [], scanned = [], learned = [] }: Lan) {
  const done: string[] = [];
  const table = [...neighbours];
  const env: FindSurroundings = {
    neighbours: async () => table,
    look: async (address) => {
      done.push(address);
      table.push(...learned.filter((one) => address.startsWith(one.address)));
      return boards.find((one) => one.address === address);
    },
    announced: async () => {
      done.push('mdns');
      return announced;
    },
    scanned: () => {
      done.push('scan');
      return scanned;
    },
  };
  return { env, done };
}

test('the board in the neighbour table is found at once', async () => {
  const { env, done } = lan({
    boards: [board('192.168.1.60:8080'), board('192.168.1.61:8080')],
    neighbours: [
      { address: '192.168.1.60', mac: MAC },
      { address: '192.168.1.61', mac: OTHER_MAC },
    ],
  });
  const found = await findBoard({ mac: MAC, lastAddress: '192.168.1.57:8080' }, env);
  expect(found).toEqual([{ ...board('192.168.1.60:8080'), mac: MAC }]);
  expect(done).toEqual(['192.168.1.60:8080']);
});

test('one that announces itself wins by its MAC, and nothing is scanned', async () => {
  const { env, done } = lan({
    boards: [board('192.168.1.60'), board('192.168.1.61')],
    announced: ['192.168.1.60', '192.168.1.61'],
    learned: [
      { address: '192.168.1.60', mac: OTHER_MAC },
      { address: '192.168.1.61', mac: MAC },
    ],
  });
  expect(await findBoard({ mac: MAC }, env)).toEqual([{ ...board('192.168.1.61'), mac: MAC }]);
  expect(done).not.toContain('scan');
});

test('a scan finds it, and looks at no address twice', async () => {
  const { env, done } = lan({
    boards: [board('192.168.1.60'), board('192.168.1.61')],
    announced: ['192.168.1.60'],
    scanned: ['192.168.1.59', '192.168.1.60', '192.168.1.61'],
    learned: [
      { address: '192.168.1.60', mac: OTHER_MAC },
      { address: '192.168.1.61', mac: MAC },
    ],
  });
  expect(await findBoard({ mac: MAC }, env)).toEqual([{ ...board('192.168.1.61'), mac: MAC }]);
  expect(done).toEqual(['mdns', '192.168.1.60', 'scan', '192.168.1.59', '192.168.1.61']);
});

describe('where no MAC decides', () => {
  const boards = [board('10.0.0.1'), board('10.0.0.2', 'lamp'), { address: '10.0.0.3' }, board('10.0.0.4')];
  const scanned = boards.map(({ address }) => address);
  test.each<[string, Parameters<typeof findBoard>[0], Neighbour[], string[]]>([
    ['every board is a candidate', {}, [], scanned],
    ['those of another project are none', { project: 'voice-box' }, [], ['10.0.0.1', '10.0.0.3', '10.0.0.4']],
    [
      'those with another MAC are none',
      { mac: MAC },
      [{ address: '10.0.0.1', mac: OTHER_MAC }],
      ['10.0.0.2', '10.0.0.3', '10.0.0.4'],
    ],
    ['MACs do not count for a board whose own is not known', {}, [{ address: '10.0.0.1', mac: OTHER_MAC }], scanned],
  ])('%s', async (_name, wanted, neighbours, expected) => {
    const { env } = lan({ boards, scanned, neighbours });
    expect((await findBoard(wanted, env)).map(({ address }) => address)).toEqual(expected);
  });
});

test('nobody there is nobody found', async () => {
  const { env } = lan({ boards: [], scanned: ['10.0.0.1'] });
  expect(await findBoard({ mac: MAC }, env)).toEqual([]);
});

test('many are looked at in turn, so many at a time, and stand in their order', async () => {
  let now = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const addresses = Array.from({ length: 50 }, (_, index) => `10.0.0.${index}`);
  const looking = lookAtAll(
    addresses,
    async (address) => {
      most = Math.max(most, ++now);
      await new Promise<void>((resolve) => {
        release.unshift(resolve);
        queueMicrotask(() => release.shift()?.());
      });
      now--;
      return address.endsWith('7') ? address : undefined;
    },
    { atOnce: 8 },
  );
  expect(await looking).toEqual(['10.0.0.7', '10.0.0.17', '10.0.0.27', '10.0.0.37', '10.0.0.47']);
  expect(most).toBe(8);
});

test('a search that is called off looks no further', async () => {
  const abort = new AbortController();
  let looks = 0;
  const looking = lookAtAll(
    ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    async () => {
      looks++;
      abort.abort();
      return undefined;
    },
    { atOnce: 1, signal: abort.signal },
  );
  await expect(looking).rejects.toMatchObject({ name: 'AbortError' });
  expect(looks).toBe(1);
});
