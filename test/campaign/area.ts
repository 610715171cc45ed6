/** What a campaign puts faults into: a board, and what is done with it. */
import { type Fault, type RunLength } from '#sim/faults.ts';
import { Op } from '#device/loader-commands.ts';
import { type KeptPart } from '#workflows/kept-guard.ts';
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
  /** Where in the bytes to the board the commands are that erase, or that one turned bit makes one of. */
  commands: readonly { at: number; length: number }[];
  /** Modelled milliseconds. */
  time: number;
}

export interface CampaignArea {
  name: string;
  /** A bench with that board. */
  benchFor(board: CampaignBoard, faults?: readonly Fault[]): Promise<Bench>;
  /** All that is done, from a closed port to a closed port. */
  run(bench: Bench, board: CampaignBoard, signal?: AbortSignal): Promise<void>;
  /** The parts of the flash that a run may name as damaged. */
  parts(board: CampaignBoard): readonly KeptPart[];
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
  const commands = noteCommands(bench);
  await bench.clock.run(() => area.run(bench, board));
  const { passed, operations } = bench.faults;
  return {
    length: { toDevice: passed['to-device'], toHost: passed['to-host'], operations, sectors: area.sectors },
    flash: bench.board.snapshot(),
    commands,
    time: bench.clock.now(),
  };
}

/** ERASE_FLASH differs from READ_FLASH and ERASE_REGION in one bit. */
const DANGEROUS: ReadonlySet<number> = new Set([Op.FlashBegin, Op.DeflateBegin, Op.EraseRegion, Op.ReadFlash]);

/** Takes down where in the bytes to the board those commands are: each frame is one write. */
export function noteCommands({ board, faults }: Bench): { at: number; length: number }[] {
  const commands: { at: number; length: number }[] = [];
  const toBoard = board.hostWrites.bind(board);
  board.hostWrites = (bytes) => {
    const isCommand = bytes[0] === 0xc0 && bytes[1] === 0;
    if (isCommand && DANGEROUS.has(bytes[2] ?? 0))
      commands.push({ at: faults.passed['to-device'], length: bytes.length });
    toBoard(bytes);
  };
  return commands;
}
