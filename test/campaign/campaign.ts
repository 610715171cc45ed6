/**
 * The fault campaign: each point is one run (a provisioning unless told otherwise) with faults at places that a seed chooses, and what must hold
 * whatever they are. It ends in success with the right bytes or in an error that such a fault may end in, in time, with
 * the port free; and a second run without faults succeeds and leaves what a run without any fault leaves.
 */
import { sleep } from '#clock.ts';
import { isDeviceError } from '#device/device-error.ts';
import { hexAddress } from '#formats/bytes.ts';
import { type Fault, FAULT_KINDS, randomFault, seededRandom } from '#sim/faults.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { type Bench } from '../device/support/bench.ts';
import { VIRTUAL_CHIPS, type VirtualChip } from '../support/releases.ts';
import { BOARD_STATES, type CampaignArea, type CampaignBoard, type CleanRun, cleanRun } from './area.ts';
import { PROVISIONING } from './provisioning.ts';

/** An abort is the user's, not the board's. `command`: a bit is turned in a command that erases, or that becomes one. */
export const POINT_KINDS = [...FAULT_KINDS, 'abort', 'command'] as const;
export type PointKind = (typeof POINT_KINDS)[number];

/** Milliseconds of modelled time in which an abort or a pulled cable must be answered. */
const ANSWER_MS = 2000;
/** What a native-USB board takes to be back on the bus. */
const BACK_MS = 1000;
/** What retries, time-outs and a board that has to be connected anew may add for each fault. */
const FAULT_MS = 60_000;

/**
 * Noise and loss are mended by retries, or end in one of these when they hit connecting or the console again and again.
 * `verify-failed`: the command that begins a write has no checksum. With a wrong size or offset the stub erases what was
 * written before, which the last look at all writes finds.
 */
const LINE_ERRORS = [
  'verify-failed',
  'bad-reply',
  'no-reply',
  'normal-boot',
  'silent',
  'unreadable',
  'stub-failed',
  'connect-timeout',
  'command-refused',
  // The same, where it hits what is kept.
  'kept-damaged',
  'kept-in-doubt',
  'flash-erased',
];
/** Outcomes other than success that are right after a fault of that kind. */
const RIGHT_ERRORS: Record<PointKind, readonly string[]> = {
  flip: LINE_ERRORS,
  command: LINE_ERRORS,
  drop: LINE_ERRORS,
  double: LINE_ERRORS,
  stall: [...LINE_ERRORS, 'port-stalled'],
  unplug: ['port-lost', 'port-missing', 'port-in-use-or-missing'],
  hang: ['no-reply', 'silent', 'port-lost', 'stub-failed', 'connect-timeout', 'boot-loop'],
  'bad-sector': ['verify-failed', 'flash-failed'],
  'power-cut': ['no-reply', 'port-lost', 'flash-failed', 'verify-failed', 'boot-loop', 'connect-timeout'],
  abort: ['aborted'],
};

export interface CampaignPoint {
  seed: number;
  area: CampaignArea;
  board: CampaignBoard;
  /** Of all faults; the first is the one that the seed stands for. */
  kinds: readonly PointKind[];
  faults: readonly Fault[];
  /** Modelled milliseconds. */
  abortAt?: number;
}

export interface PointOptions {
  /** A board of that chip in place of the one that the seed chooses. */
  chip?: VirtualChip | undefined;
  /** What is run; a provisioning unless told otherwise. */
  area?: CampaignArea | undefined;
  /** Number of faults in the one run; 1 unless told otherwise. */
  faults?: number | undefined;
}

export interface PointResult {
  /** `done`, `aborted`, or the code of the error. */
  outcome: string;
  /** Labels of what is kept and was hit, or may have been. */
  named: string[];
  /** What did not hold, in words; empty when all did. */
  violations: string[];
}

/** The point of a seed: neighbouring seeds have different kinds; after all kinds come the next chip, then the other board. */
export async function pointOf(
  seed: number,
  { chip: chosen, faults: count = 1, area = PROVISIONING }: PointOptions = {},
): Promise<CampaignPoint> {
  const round = Math.floor(seed / POINT_KINDS.length);
  const chip = chosen ?? VIRTUAL_CHIPS[round % VIRTUAL_CHIPS.length]!;
  const state = BOARD_STATES[Math.floor(round / VIRTUAL_CHIPS.length) % BOARD_STATES.length]!;
  const { length, time, commands } = await cleanRun(area, { chip, state });
  const random = seededRandom(seed);
  const first = POINT_KINDS[seed % POINT_KINDS.length]!;
  const more = Array.from({ length: count - 1 }, () => POINT_KINDS[Math.floor(random() * POINT_KINDS.length)]!);
  const kinds = [first, ...more];
  const faultKinds = kinds.filter((kind) => kind !== 'abort');
  const faults = faultKinds.map((kind) =>
    kind === 'command' ? commandFault(commands, random) : randomFault(kind, length, random),
  );
  return {
    seed,
    area,
    board: { chip, state },
    kinds,
    faults,
    ...(kinds.includes('abort') ? { abortAt: random() * time } : {}),
  };
}

function commandFault(commands: CleanRun['commands'], random: () => number): Fault {
  const below = (limit: number): number => Math.floor(random() * limit);
  const { at, length } = commands[below(commands.length)]!;
  return { kind: 'flip', direction: 'to-device', at: at + below(length), bit: below(8) };
}

/** Runs a point, in modelled time. */
export async function runPoint(point: CampaignPoint): Promise<PointResult> {
  const clean = await cleanRun(point.area, point.board);
  const bench = await point.area.benchFor(point.board, point.faults);
  const result: PointResult = { outcome: 'stuck', named: [], violations: [] };
  try {
    await bench.clock.run(async () => {
      await runWithFaults(bench, point, { clean, result });
      await runAgain(bench, point, { clean, result });
    });
  } catch (error) {
    result.violations.push(`the campaign itself failed: ${String(error)}`);
  }
  return result;
}

interface Judging {
  clean: CleanRun;
  result: PointResult;
}

async function runWithFaults(bench: Bench, point: CampaignPoint, { clean, result }: Judging): Promise<void> {
  const { violations } = result;
  const abort = planAbort(bench, point.abortAt);
  const pulledAt = noteCablePulls(bench);
  Object.assign(result, await outcomeOf(point.area.run(bench, point.board, abort.signal)));
  abort.cancel();

  const now = bench.clock.now();
  const right = point.kinds.flatMap((kind) => RIGHT_ERRORS[kind]);
  if (result.outcome === 'done' || result.named.length > 0)
    checkFlash(bench, point, { clean, result, when: `after ${result.outcome}` });
  else if (!right.includes(result.outcome)) violations.push(`ended in ${result.outcome}`);
  // Whoever aborts what is over already, and is only being closed, comes too late.
  const wentOn = abort.signal.aborted && bench.faults.passed['to-device'] > abort.sent();
  if (result.outcome === 'done' && wentOn) violations.push('went on after an abort');
  for (const [what, at] of [['an abort', abort.at()] as const, ['a pulled cable', pulledAt()] as const]) {
    if (at !== undefined && now - at > ANSWER_MS) violations.push(`answered ${what} after ${Math.round(now - at)} ms`);
  }
  // Retries and time-outs may double a run, but never hang it.
  const limit = 4 * clean.time + FAULT_MS * point.kinds.length;
  if (now > limit) violations.push(`took ${Math.round(now)} ms, more than ${Math.round(limit)}`);
  if (!(await bench.isFree())) violations.push('left the port in use');
}

interface PlannedAbort {
  signal: AbortSignal;
  /** When it happened, if it did. */
  at: () => number | undefined;
  /** Bytes that went to the board before it. */
  sent: () => number;
  cancel: () => void;
}

/** The user's abort at a time that was chosen beforehand. */
function planAbort({ clock, faults }: Bench, ms: number | undefined): PlannedAbort {
  const controller = new AbortController();
  let at: number | undefined;
  let sent = 0;
  const abort = (): void => {
    at = clock.now();
    sent = faults.passed['to-device'];
    controller.abort();
  };
  const cancel = ms === undefined ? () => undefined : clock.after(ms, abort);
  return { signal: controller.signal, at: () => at, sent: () => sent, cancel };
}

/** The board is made whole, and everything is done once more. */
async function runAgain(bench: Bench, point: CampaignPoint, { clean, result }: Judging): Promise<void> {
  const { area, board } = point;
  bench.faults.clear();
  bench.board.flash.badSectors.clear();
  bench.board.plugIn();
  bench.board.powerOn();
  await sleep(bench.clock, BACK_MS);
  // What was said to be lost is.
  const expected = result.outcome === 'flash-erased' ? await cleanRun(area, { ...board, state: 'new' }) : clean;
  const { outcome } = await outcomeOf(area.run(bench, board));
  if (outcome === 'done') checkFlash(bench, point, { clean: expected, result, when: 'after the second run' });
  else result.violations.push(`the second run ended in ${outcome}`);
}

/** @returns when the cable was pulled, if it was. */
function noteCablePulls({ board, clock }: Bench): () => number | undefined {
  let at: number | undefined;
  const pull = board.pullCable.bind(board);
  board.pullCable = () => {
    at ??= clock.now();
    pull();
  };
  return () => at;
}

async function outcomeOf(run: Promise<void>): Promise<Pick<PointResult, 'outcome' | 'named'>> {
  try {
    await run;
    return { outcome: 'done', named: [] };
  } catch (error) {
    if (isDeviceError(error)) return { outcome: error.code, named: [] };
    if (error instanceof WorkflowError) return { outcome: error.code, named: namedBy(error) };
    if (error instanceof DOMException && error.name === 'AbortError') return { outcome: 'aborted', named: [] };
    return { outcome: String(error), named: [] };
  }
}

const namedBy = ({ values }: WorkflowError): string[] =>
  [values['damaged'], values['doubtful']].flatMap((labels) => (labels ? String(labels).split(', ') : []));

/** The flash is what a run without faults leaves, but for the kept parts that the run has named. */
function checkFlash(
  bench: Bench,
  { area, board }: CampaignPoint,
  { clean, result, when }: Judging & { when: string },
): void {
  const bytes = bench.board.snapshot();
  for (const { label, offset, length } of area.parts(board)) {
    if (result.named.includes(label)) bytes.set(clean.flash.subarray(offset, offset + length), offset);
  }
  if (Buffer.compare(bytes, clean.flash) === 0) return;
  const first = bytes.findIndex((byte, index) => byte !== clean.flash[index]);
  result.violations.push(`the flash differs at ${hexAddress(first)} ${when}`);
}
