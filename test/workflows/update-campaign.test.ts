import fc from 'fast-check';
import { expect, test } from 'vitest';
import { campaignStep, type CampaignRules, type MemberStatus } from '#workflows/update-campaign.ts';

const RULES: CampaignRules = { atOnce: 2, testGroup: 1, stopAfter: 2 };
const LETTERS: Record<string, MemberStatus> = {
  w: 'waiting',
  r: 'running',
  d: 'deciding',
  s: 'succeeded',
  f: 'failed',
  c: 'cancelled',
  h: 'held',
};
const members = (letters: string): MemberStatus[] => [...letters].map((letter) => LETTERS[letter]!);

test.each([
  { what: 'the test group goes first, alone', now: 'wwww', begin: [0] },
  { what: 'nobody follows while it is under way', now: 'rwww', begin: [] },
  { what: 'nor while something is to be decided about it', now: 'dwww', begin: [] },
  { what: 'then as many as may go at once', now: 'swww', begin: [1, 2] },
  { what: 'one for each place that becomes free', now: 'srswww', begin: [3] },
  { what: 'who waits for a decision keeps the place', now: 'sdrw', begin: [] },
  { what: 'a tester that failed ends it', now: 'fwww', hold: [1, 2, 3] },
  { what: 'so does one that was taken out', now: 'cwww', hold: [1, 2, 3] },
  { what: 'one failure of the others does not', now: 'sfww', begin: [2, 3] },
  { what: 'enough of them do', now: 'sffww', hold: [3, 4] },
  { what: 'what may turn out well holds nobody for good', now: 'sfdww', begin: [] },
  { what: 'one that was taken out is no failure', now: 'sccww', begin: [3, 4] },
  { what: 'nothing is left to do', now: 'sssf', begin: [] },
  { what: 'two testers', rules: { testGroup: 2 }, now: 'wwww', begin: [0, 1] },
  { what: 'two testers, of which one is through', rules: { testGroup: 2 }, now: 'srww', begin: [] },
  { what: 'no test group', rules: { testGroup: 0 }, now: 'wwww', begin: [0, 1] },
  { what: 'a test group larger than the campaign', rules: { testGroup: 9 }, now: 'swww', begin: [1, 2] },
])('$what: $now', ({ now, rules = {}, begin = [], hold = [] }) => {
  expect(campaignStep(members(now), { ...RULES, ...rules })).toEqual({ begin, hold });
});

/** Plays a campaign to its end; what becomes of each board is given. */
function play(
  fates: readonly MemberStatus[],
  rules: CampaignRules,
): { order: number[]; end: MemberStatus[]; most: number } {
  const status = fates.map((): MemberStatus => 'waiting');
  const order: number[] = [];
  const running: number[] = [];
  let most = 0;
  for (;;) {
    const { begin, hold } = campaignStep(status, rules);
    for (const place of hold) status[place] = 'held';
    for (const place of begin) {
      status[place] = 'running';
      order.push(place);
      running.push(place);
    }
    most = Math.max(most, running.length);
    const done = running.shift();
    if (done === undefined) return { order, end: status, most };
    status[done] = fates[done]!;
  }
}

test('every campaign ends, within its rules', () => {
  const rules = fc.record({
    atOnce: fc.integer({ min: 1, max: 6 }),
    testGroup: fc.integer({ min: 0, max: 6 }),
    stopAfter: fc.integer({ min: 1, max: 5 }),
  });
  const fates = fc.array(fc.constantFrom<MemberStatus>('succeeded', 'failed'), { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(fates, rules, (boards, given) => {
      const { order, end, most } = play(boards, given);
      expect(most).toBeLessThanOrEqual(given.atOnce);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(end).not.toContain('waiting');
      const testFailed = boards.slice(0, given.testGroup).includes('failed');
      const failures = end.filter((status) => status === 'failed').length;
      if (testFailed) expect(order.every((place) => place < given.testGroup)).toBe(true);
      // Those that were under way when the last straw came may fail too.
      expect(failures).toBeLessThan(given.stopAfter + given.atOnce);
      expect(end.includes('held')).toBe(order.length < boards.length);
      if (end.includes('held')) expect(testFailed || failures >= given.stopAfter).toBe(true);
    }),
  );
});
