// @vitest-environment happy-dom
/** What the card of the board says of the loader that does the work, and of what was measured. */
import BoardCard from '#app/screens/Provision/BoardCard.svelte';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { ModelClock } from '#model-clock.ts';
import { type SavedBlock } from '#workflows/probe-block.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, test } from 'vitest';
import { readBoard, TWO_SLOTS } from '../../workflows/boards.ts';
import { testPlanner } from '../state/support/planner.ts';

afterEach(cleanup);

const BLOCK: SavedBlock = {
  mac: '24:0a:c4:12:34:56',
  offset: 0x3f_0000,
  size: 0x1_0000,
  before: new Uint8Array(0x1_0000),
  watched: [],
};

async function shown(prepare: (flow: Provisioning) => void): Promise<void> {
  const flow = new Provisioning({
    planner: testPlanner(),
    clock: new ModelClock(),
    ports: undefined,
    startDemo: () => {
      throw new Error('No demo here');
    },
  });
  flow.connection.board = await readBoard({ partitions: TWO_SLOTS });
  flow.connection.status = 'connected';
  flow.connection.loader = 'stub';
  prepare(flow);
  render(BoardCard, { flow, ability: 'ready', system: 'linux', locked: false });
}

const romNotice = (): Element | null => screen.queryByText('Without the flash loader');

test('a board that is worked on by its ROM says so, one with a stub does not', async () => {
  await shown(() => undefined);
  expect(romNotice()).toBeNull();
  cleanup();
  await shown(({ connection }) => (connection.loader = 'rom'));
  expect(romNotice()).not.toBeNull();
});

test('of a board that lets nothing be read, the loader is no matter, and nothing is measured', async () => {
  const security = { flashEncryption: 'release' } as const;
  const locked = await readBoard({ partitions: TWO_SLOTS, security });
  await shown(({ connection }) => {
    connection.loader = 'rom';
    connection.board = locked;
  });
  expect(romNotice()).toBeNull();
  expect(screen.queryByText('Measure this board')).toBeNull();
});

describe('a board that was lost while it was measured', () => {
  test('is asked for, with what is not as it was', async () => {
    await shown(({ connection, probe }) => {
      connection.status = 'failed';
      probe.status = 'failed';
      probe.owed = { source: undefined, block: BLOCK };
    });
    expect(screen.getByText(/0x3f0000/)).toBeTruthy();
    expect(screen.getByText(/connect 24:0a:c4:12:34:56 again/)).toBeTruthy();
  });

  test.each([
    ['put-back', 'Put back'],
    ['given-up', 'Not put back'],
  ] as const)('and came back: %s', async (settled, title) => {
    await shown(({ probe }) => (probe.settled = settled));
    expect(screen.getByText(title)).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Save what was there' })).toBeNull();
  });

  test('and does not take it back: what was there can be saved, unless that was nothing', async () => {
    const { before, ...blank } = BLOCK;
    expect(before).toBeDefined();
    for (const refused of [blank, BLOCK]) {
      await shown(({ probe }) => Object.assign(probe, { settled: 'given-up', refused }));
      expect(screen.queryAllByRole('button', { name: 'Save what was there' })).toHaveLength(refused === BLOCK ? 1 : 0);
      cleanup();
    }
  });

  test.each([
    ['test-bytes', 'Put it back'],
    ['other', 'Put it back all the same'],
  ] as const)('in an earlier visit is asked about while it is connected: %s', async (found, name) => {
    await shown(({ probe }) => (probe.asked = { block: BLOCK, found }));
    expect(screen.getByRole('button', { name })).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Leave it as it is' })).toBeTruthy();
    expect(screen.queryByText('Measure this board')).toBeNull();
    cleanup();
    await shown(({ connection, probe }) => {
      connection.status = 'none';
      probe.asked = { block: BLOCK, found };
    });
    expect(screen.queryByRole('button', { name })).toBeNull();
  });

  test('names what else was hit', async () => {
    await shown(({ probe }) => {
      probe.damage = new WorkflowError('kept-damaged', '', { values: { damaged: 'ota_0', doubtful: '' } });
    });
    expect(screen.getByText('kept-damaged')).toBeTruthy();
    expect(screen.getAllByText(/ota_0/).length).toBeGreaterThan(0);
  });
});
