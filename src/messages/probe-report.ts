/** What a probe found, as text to attach to an issue: the same from the command line and from the page. */
import { flashSizeName } from '#formats/chips.ts';
import { type ProbedBoard, type ProbeReport } from '#workflows/probe.ts';
import { type RestartReport } from '#workflows/probe-restart.ts';
import { type ScratchPlace } from '#workflows/probe-scratch.ts';
import { type Message } from './message.ts';
import { addressText, bytesText } from './units.ts';

export interface ProbeRecord extends ProbeReport {
  /** Of this program. */
  version: string;
  /** What it ran on: `linux x64`, `Chrome 140 on linux`. */
  system: string;
  board: ProbedBoard;
  /** `undefined` when the board was not restarted. */
  reset: RestartReport | undefined;
}

/** The whole report, line by line. */
export function probeReportText(record: ProbeRecord): string {
  const { latency, scratch, eraseBlock, md5, speeds, rates, reset, board } = record;
  const { usbVendorId, usbProductId } = board.usb;
  const rows: [string, string][] = [
    ['twostep', `${record.version} on ${record.system}`],
    ['board', boardText(board)],
    ['loader', board.loader === 'stub' ? 'stub' : 'ROM, no stub'],
    ['adapter', `${hex(usbVendorId)}:${hex(usbProductId)}`],
    ['latency', `${ms(latency.median)} (${ms(latency.least)} to ${ms(latency.most)})`],
    ...speeds.map(({ baud, write, read }): [string, string] => [
      `${baud} baud`,
      `writes ${bytesText(write)}/s, reads ${bytesText(read)}/s`,
    ]),
    ...rates.map(({ baud, works }): [string, string] => [`${baud} baud`, works ? 'works' : 'fails']),
    ['erase 64 KiB', ms(eraseBlock)],
    ['MD5', `${bytesText(md5)}/s`],
    [
      'measured at',
      `${addressText(scratch.offset)}, ${scratch.wasBlank ? 'blank before and after' : 'put back as it was'}`,
    ],
    ['restart', restartText(reset)],
  ];
  const said = reset?.lines.map((line) => `  | ${line}`) ?? [];
  return [...rows.map(([name, value]) => `${name.padEnd(14)}${value}`), ...said].join('\n');
}

type BlockPlace = Pick<ScratchPlace, 'offset' | 'size'>;

/** For a block that an earlier measurement had to leave, and that is back now. */
export const blockBackText = (place: BlockPlace): string => `${placeOf(place)} are as they were before.`;

/** The same where somebody else has written to the place since, or the flash does not take it. `file`: where what was there before can be found. */
export function blockLeftText(place: BlockPlace, file: string | undefined): string {
  const before = file === undefined ? 'They were blank before.' : `What was there before is in ${file}.`;
  return `${placeOf(place)} were measured in by a probe that was cut off. They hold something else now, and are left as they are. ${before}`;
}

const placeOf = ({ offset, size }: BlockPlace): string => `The ${bytesText(size)} at ${addressText(offset)}`;

/** For when the board was lost before its block could be put back. */
export function notPutBack(place: BlockPlace, wasBlank: boolean): Message {
  return {
    what: 'The board was lost before what was measured in could be put back.',
    state: wasBlank
      ? `${placeOf(place)} were blank, and may hold test bytes now.`
      : `${placeOf(place)} may hold test bytes instead of what was there.`,
  };
}

function boardText({ description, flashId, flashSize }: ProbedBoard): string {
  const size = flashSize === undefined ? '' : `, ${flashSizeName(flashSize)}`;
  return `${description}, flash id ${hex(flashId)}${size}`;
}

function restartText(reset: RestartReport | undefined): string {
  if (!reset) return 'not tried';
  return reset.firstAfterMs === undefined ? 'the board said nothing' : `first line after ${reset.firstAfterMs} ms`;
}

const hex = (id: number | undefined): string => (id === undefined ? '-' : id.toString(16).padStart(4, '0'));

const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
