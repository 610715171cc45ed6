/** The results of the flash cases as tables. */
import { formatTable, number } from '../table.ts';
import { KIB, MIB } from './images.ts';
import { type FlashResult } from './run-case.ts';
import { type Target } from './targets.ts';

const HEADING = [
  'case',
  'what',
  'client',
  'bound s',
  'elapsed s',
  'of bound',
  'CPU s/MiB',
  'compress',
  'channel',
  'peak MiB',
  'stall ms',
  'rounds',
] as const;

const NOTES = `bound: the larger of wire time (frames, escapes, deflated where that is less) and flash time; how: test/bench/flash/bounds.ts.
CPU: of the client's process, without compressing and without the channel between the processes, which stand beside it.
channel: the same bytes over the same channel without any protocol. peak: growth of the process over what it had when connected.`;

export function flashTable(results: readonly FlashResult[]): string {
  const rows = results.map((result) => {
    const { bound, elapsedMs, cpu } = result;
    const isJob = bound.totalMs > 0;
    const perMib = (ms: number): string => (isJob ? (ms / 1000).toFixed(3) : '');
    return [
      result.case,
      `${sizeText(result.bytes)}${result.title}`,
      result.client,
      isJob ? number(bound.totalMs / 1000) : '',
      number(elapsedMs / 1000),
      isJob ? `${((100 * bound.totalMs) / elapsedMs).toFixed(1)} %` : '',
      perMib(cpu.own),
      perMib(cpu.compress),
      perMib(cpu.channel),
      result.memoryMib.toFixed(0),
      result.stallMs.toFixed(0),
      `${result.rounds}`,
    ];
  });
  return `${formatTable(HEADING, rows, ['case', 'what', 'client'])}\n${NOTES}`;
}

function sizeText(bytes: number): string {
  if (bytes === 0) return '';
  return bytes < MIB ? `${Math.round(bytes / KIB)} KiB ` : `${Number((bytes / MIB).toFixed(1))} MiB `;
}

export function targetTable(targets: readonly Target[]): string {
  const rows = targets.map(({ text, value, isMet }) => [
    isMet === undefined ? 'not run' : isMet ? 'met' : 'MISSED',
    value ?? '',
    text,
  ]);
  return formatTable(['target', 'measured', 'what'], rows, ['target', 'measured', 'what']);
}
