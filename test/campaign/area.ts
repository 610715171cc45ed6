/** What a campaign puts faults into: a board, and what is done with it. */
import { type Fault, type RunLength } from '#sim/faults.ts';
import { type Bench } from '../device/support/bench.ts';
import { type VirtualChip } from '../support/releases.ts';

/** `new`: blank. `used`: it holds something, of which what is not written must survive whatever happens. */
export const BOARD_STATES = ['new', 'used'] as const;

export interface CampaignBoard {
  chip: VirtualChip;
  state: (typeof BOARD_STATES)[number];
}

/** What a run without faults does, and how long it is: faults are put into that. */
export interface CleanRun {
  length: RunLength;
  flash: Uint8Array;
  /** Modelled milliseconds. */
  time: number;
}

export interface CampaignArea {
  name: string;
  /** A bench with that board. */
  benchFor(board: CampaignBoard, faults?: readonly Fault[]): Promise<Bench>;
  /** All that is done, from a closed port to a closed port. */
  run(bench: Bench, board: CampaignBoard, signal?: AbortSignal): Promise<void>;
  /** First sector and number of sectors that a run writes. */
  sectors: readonly [number, number];
}

const cleanRuns = new Map<string, Promise<CleanRun>>();

/** The run without faults, done once for each kind of board. */
export function cleanRun(area: CampaignArea, board: CampaignBoard): Promise<CleanRun> {
  const name = `${area.name} ${board.state} ${board.chip}`;
  const known = cleanRuns.get(name) ?? measureCleanRun(area, board);
  cleanRuns.set(name, known);
  return known;
}

async function measureCleanRun(area: CampaignArea, board: CampaignBoard): Promise<CleanRun> {
  const bench = await area.benchFor(board);
  await bench.clock.run(() => area.run(bench, board));
  const { passed, operations } = bench.faults;
  return {
    length: { toDevice: passed['to-device'], toHost: passed['to-host'], operations, sectors: area.sectors },
    flash: bench.board.snapshot(),
    time: bench.clock.now(),
  };
}
