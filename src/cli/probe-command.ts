/** `twostep probe`: what a board, its adapter and its flash really do, as a report to attach to an issue. */
import { BAUD_LADDER } from '#device/baud-rates.ts';
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';
import { isNativeUsb } from '#device/reset.ts';
import { flashSizeName } from '#formats/chips.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { probeBoard, type ProbeReport, type ProbeStep } from '#workflows/probe.ts';
import process from 'node:process';
import { type CommandContext } from './context.ts';
import { type BoardOptions, withBoard } from './with-board.ts';
import { type Command } from 'commander';
import { addLineOptions, jsonOption, portOption } from './board-options.ts';
import { VERSION } from './version.ts';

const STEPS: Record<ProbeStep, string> = {
  latency: 'Asking for answers',
  save: 'Looking for a place to measure in',
  erase: 'Erasing',
  write: 'Writing',
  read: 'Reading',
  md5: 'Hashing',
  ladder: 'Trying higher rates',
  restore: 'Putting back what was there',
};

/** Lines of its text that the report shows. */
const SHOWN_LINES = 3;
/** Milliseconds in which a board that was restarted says something. */
const FIRST_LINE_MS = 3000;

async function probeCommand(options: BoardOptions, version: string, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  await withBoard(options, context, async (board, clock) => {
    const rates = isNativeUsb(board.identity.usb) ? [] : BAUD_LADDER.toReversed();
    const report = await probeBoard(board, {
      clock,
      rates,
      signal,
      onStep: (step) => output.say('step', { step }, STEPS[step]),
    });
    output.say('step', { step: 'reset' }, 'Restarting');
    const reset = await firstWords(board, clock, signal);
    const record = {
      version,
      system: `${process.platform} ${process.arch}`,
      board: boardRecord(board),
      ...report,
      reset,
    };
    output.say('report', record, reportText(record, board).join('\n'));
  });
}

/** What the board says in the first seconds after a reset: nothing means that the reset lines do not reach it, or a silent app. */
async function firstWords(board: Bootloader, clock: Clock, signal: AbortSignal): Promise<ResetReport> {
  const lines: string[] = [];
  const started = clock.now();
  let firstAfterMs: number | undefined;
  const console = await board.restart({ signal });
  const cancel = clock.after(FIRST_LINE_MS, () => void console.close());
  try {
    for await (const { text } of console) {
      firstAfterMs ??= clock.now() - started;
      lines.push(text);
      if (lines.length >= SHOWN_LINES) break;
    }
  } catch (error) {
    // The port went away, or was closed when the time was over: what was heard until then counts.
    if (!isDeviceError(error)) throw error;
  } finally {
    cancel();
    await console.close();
  }
  return { lines, ...(firstAfterMs !== undefined && { firstAfterMs: Math.round(firstAfterMs) }) };
}

interface ResetReport {
  /** The first lines, if any came. */
  lines: string[];
  firstAfterMs?: number;
}

/** Without the part of the MAC that tells this board from its brothers: a report is for everybody to read. */
function boardRecord({ identity }: Bootloader): Record<string, unknown> {
  const { chip, description, revision, mac, flashId, flashSize, crystalMhz, security, usb } = identity;
  const vendorPart = mac === undefined ? undefined : `${mac.slice(0, 8)}:…`;
  return { chip: chip.name, description, revision, mac: vendorPart, flashId, flashSize, crystalMhz, security, usb };
}

const hex = (id: number | undefined): string => (id === undefined ? '-' : id.toString(16).padStart(4, '0'));

function reportText(
  record: ProbeReport & { version: string; system: string; reset: ResetReport },
  { identity }: Bootloader,
): string[] {
  const { latency, scratch, eraseBlock, md5, speeds, rates, reset } = record;
  const { usbVendorId, usbProductId } = identity.usb;
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  const rows: [string, string][] = [
    ['twostep', `${record.version} on ${record.system}`],
    [
      'board',
      `${identity.description}, flash id ${hex(identity.flashId)}${identity.flashSize === undefined ? '' : `, ${flashSizeName(identity.flashSize)}`}`,
    ],
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
    [
      'restart',
      reset.firstAfterMs === undefined ? 'the board said nothing' : `first line after ${reset.firstAfterMs} ms`,
    ],
  ];
  return [...rows.map(([name, value]) => `${name.padEnd(14)}${value}`), ...reset.lines.map((line) => `  | ${line}`)];
}

export function addProbeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('probe')
    .description('measure what board, adapter and flash really do, for a report; puts back what it writes to')
    .addOption(portOption());
  addLineOptions(command, 'rate to begin with, or auto')
    .addOption(jsonOption())
    .action((options: BoardOptions) => probeCommand(options, VERSION, context));
}
