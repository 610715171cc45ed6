/** The report of a probe: everything that was measured, and nothing that tells one board from its brothers. */
import { notPutBack, type ProbeRecord, probeReportText } from '#messages/probe-report.ts';
import { probedBoard } from '#workflows/probe.ts';
import { expect, test } from 'vitest';
import { identity } from '../workflows/boards.ts';

const record: ProbeRecord = {
  version: '1.2.3',
  system: 'linux x64',
  board: probedBoard({ identity: identity(), mode: 'stub' }),
  latency: { least: 1.04, median: 2.5, most: 17.2 },
  scratch: { offset: 0x3f_0000, size: 0x1_0000, wasBlank: true },
  eraseBlock: 151,
  md5: 4_000_000,
  speeds: [{ baud: 921_600, write: 90_000, read: 91_000 }],
  rates: [
    { baud: 1_500_000, works: true },
    { baud: 2_000_000, works: false },
  ],
  reset: { lines: ['ets Jul 29 2019'], firstAfterMs: 312 },
};

test('every figure has a line', () => {
  const text = probeReportText(record);
  for (const figure of ['1.2.3 on linux x64', '2.5 ms (1.0 ms to 17 ms)', '151 ms', '3.81 MiB/s', '0x3f0000', '312 ms'])
    expect(text).toContain(figure);
  expect(text.split('\n')).toHaveLength(13);
});

test('of the MAC the maker’s part is kept, and nothing else', () => {
  const { mac } = identity();
  expect(record.board.mac).toBe(`${mac?.slice(0, 8)}:…`);
  expect(JSON.stringify(record) + probeReportText(record)).not.toContain(mac?.slice(9));
});

test('what was not tried, and what said nothing, are told apart', () => {
  const texts = [undefined, { lines: [] }].map((reset) => probeReportText({ ...record, reset }));
  expect(new Set(texts).size).toBe(2);
});

test('what was not put back is named by its place, and by what it was', () => {
  const place = { offset: 0x3f_0000, size: 0x1_0000, isBlank: true };
  const states = [true, false].map((wasBlank) => notPutBack(place, wasBlank).state);
  expect(new Set(states).size).toBe(2);
  for (const state of states) expect(state).toContain('0x3f0000');
});
