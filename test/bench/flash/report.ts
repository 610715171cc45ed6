/** The results of the flash cases as tables. */
import { formatTable, number } from '../table.ts';
import { KIB, MIB } from './images.ts';
import { type Floor } from './floors.ts';
import { type FlashResult } from './run-case.ts';
import { type Target } from './targets.ts';

const HEADING = [
  'case',
  'what',
  'client',
  'bound s',
  'elapsed s',
  'of bound',
  'modelled',
  'CPU s/MiB',
  'compress',
  'channel',
  'peak MiB',
  'stall ms',
  'rounds',
] as const;

const NOTES = `bound: the larger of wire time (frames, escapes, deflated where that is less) and flash time; how: test/bench/flash/bounds.ts.
modelled: the same in modelled time, where the host takes none and the machine is not busy with anything else.
CPU: of the client's process, without compressing and without the channel between the processes, which stand beside it.
rounds: five, of which the middle counts; fewer where they take long.
channel: the same bytes over the same channel without any protocol. peak: growth of the process over what it had when connected.`;

export function flashTable(results: readonly FlashResult[]): string {
  const rows = results.map((result) => {
    const { bound, elapsedMs, modelledMs, cpu } = result;
    const isJob = bound.totalMs > 0;
    const perMib = (ms: number): string => (isJob ? (ms / 1000).toFixed(3) : '');
    return [
      result.case,
      `${sizeText(result.bytes)}${result.title}`,
      result.client,
      isJob ? number(bound.totalMs / 1000) : '',
      number(elapsedMs / 1000),
      isJob ? percent(bound.totalMs / elapsedMs) : '',
      modelledMs === undefined ? '' : isJob ? percent(bound.totalMs / modelledMs) : `${number(modelledMs / 1000)} s`,
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

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** How near to the wire the channel itself came, with a host that waits for each answer. */
export function floorLine(floors: readonly Floor[]): string {
  const each = floors.map(({ line, kind, boards, ofWire }) => {
    return `${percent(ofWire)} ${kind === 'read' ? 'reading' : 'writing'} at ${line}${boards > 1 ? ` with ${boards} boards` : ''}`;
  });
  return `A host without any protocol that waits for each answer got so much of the wire: ${each.join(', ')}.`;
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
