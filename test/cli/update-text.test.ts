import { expect, test } from 'vitest';
import { type PlanView } from '#api.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { planLines } from '../../src/cli/update/update-text.ts';

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
