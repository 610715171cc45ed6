import { expect, test } from 'vitest';
import { type PlanView, type UpdateView } from '#api.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { boardsLine, planLines } from '../../src/cli/update/update-text.ts';
import { PATHS, sampleUpdate, stateAfter } from '../support/update-samples.ts';

test('what a board says of itself controls no terminal, also where a notice quotes it', () => {
  const hostile = '\u001b]0;owned\u0007\u009b2J';
  const plan: PlanView = {
    board: { id: 'b', name: hostile, from: 'added', reach: 'online', slots: [] },
    release: { id: 'r', name: 'Voice box' },
    steps: ['app'],
    before: [{ slot: 'PA', role: 'app', project: hostile }],
    between: [],
    after: [],
    bytes: 1,
    objections: [],
    warnings: [],
    consents: [updateNotice('other-project', 'board', { runs: hostile, release: 'voice_box' })],
  };
  const lines = planLines(plan).join(' ');
  expect(lines).toContain('owned');
  expect(lines).not.toMatch(/\p{Cc}/u);
});

const boardAt = (name: string, path: string, change: Partial<UpdateView> = {}): UpdateView =>
  sampleUpdate(stateAfter(PATHS[path]!), { board: { id: name, name }, ...change });

test('several boards in a line: those that are done, the rate of all downloads, and what is under way', () => {
  const updates = [
    boardAt('one', 'complete'),
    boardAt('two', 'left'),
    boardAt('three', 'ready', { queued: 'held' }),
    boardAt('four', 'ready', { queued: 'waiting' }),
    boardAt('five', 'broken-off'),
    boardAt('six', 'downloading', { rate: 10 * 1024 }),
    boardAt('seven', 'step 2 downloading', { rate: 20 * 1024 }),
    boardAt('eight', 'arriving'),
    boardAt('nine', 'step 2 preparing'),
    boardAt('ten\u001b[2J', 'restore downloading', { rate: 1024 }),
  ];
  expect(boardsLine(updates)).toBe(
    '1 of 10 boards done, 2 not updated · 31 KiB/s · six app 43 %, seven data 38 %, eight app 100 %, nine data 0 %, ten\ufffd[2J restore 27 %',
  );
});

test('there is no line while nothing is under way', () => {
  expect(boardsLine([boardAt('one', 'complete'), boardAt('two', 'picking'), boardAt('three', 'stopped')])).toBe(
    undefined,
  );
});
