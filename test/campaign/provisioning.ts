/** What the fault campaign runs: provisioning of a virtual board, with settings and data, in modelled time. */
import { type NvsEntry, nvsString } from '#formats/nvs/nvs.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { type Fault, type RunLength } from '#sim/faults.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { Bench } from '../device/support/bench.ts';
import { appImage, makeRelease, VIRTUAL_CHIPS, type VirtualChip } from '../support/releases.ts';
import { NVS_ROW, payload, TWO_SLOTS } from '../workflows/boards.ts';

const NETWORK = { accessPoint: { ssid: 'workshop', password: 'correct horse' } };
const OPTIONS: ProvisionOptions = {
  data: { name: 'voices.bin', bytes: payload(60_000) },
  wifi: { store: { kind: 'idf' }, ssid: 'workshop', password: 'correct horse' },
};
/** All that a run may write lies below this offset. */
const WRITTEN_END = 0x21_0000;
const APP_OFFSET = 0x10_0000;
const APP_SIZE = 0x1_8000;

const releases = Object.fromEntries(
  VIRTUAL_CHIPS.map((chip) => [chip, makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS, appSize: APP_SIZE })]),
) as Record<VirtualChip, ReturnType<typeof makeRelease>>;

/** `new`: blank. `used`: it runs an older app, and has settings that must survive whatever happens. */
export const BOARD_STATES = ['new', 'used'] as const;

export interface CampaignBoard {
  chip: VirtualChip;
  state: (typeof BOARD_STATES)[number];
}

/** What the user of a used board would miss. */
export const SETTINGS: NvsEntry[] = [
  nvsString('product', 'serial', 'A-0042'),
  { namespace: 'product', key: 'starts', type: 'u32', value: 977 },
  { namespace: 'calibration', key: 'curve', type: 'blob', value: payload(3000, 'curve') },
];

/** A bench with that board; both kinds of port are among them. */
export async function benchFor({ chip, state }: CampaignBoard, faults: readonly Fault[] = []): Promise<Bench> {
  const flash = state === 'used' ? { flash: await usedFlash(chip) } : {};
  const wiring = chip === 'esp32c3' ? { wiring: 'usb-serial-jtag' as const } : {};
  return new Bench({ chip, network: NETWORK, ...wiring, ...flash, faults });
}

async function usedFlash(chip: VirtualChip): Promise<Uint8Array> {
  const bytes = (await cleanRun({ chip, state: 'new' })).flash.slice();
  bytes.set(encodeNvs(SETTINGS, NVS_ROW.size), NVS_ROW.offset);
  bytes.fill(0xff, APP_OFFSET, APP_OFFSET + 2 * APP_SIZE);
  bytes.set(appImage({ chip, appSize: APP_SIZE - 0x4000, version: '1.0.0' }), APP_OFFSET);
  return bytes;
}

/** One provisioning from a closed port to a board on the network. */
export async function runProvisioning(bench: Bench, chip: VirtualChip, signal?: AbortSignal): Promise<void> {
  const board = await bench.connect({ signal });
  let plan;
  try {
    plan = planProvision(releases[chip], await readBoardState(board, board.identity, { signal }), OPTIONS);
  } catch (error) {
    await board.close();
    throw error;
  }
  await provision(board, plan, { signal });
}

/** What a run without faults does, and how long it is: faults are put into that. */
export interface CleanRun {
  length: RunLength;
  flash: Uint8Array;
  /** Modelled milliseconds. */
  time: number;
}

const cleanRuns = new Map<string, Promise<CleanRun>>();

export function cleanRun(board: CampaignBoard): Promise<CleanRun> {
  const name = `${board.state} ${board.chip}`;
  const known = cleanRuns.get(name) ?? measureCleanRun(board);
  cleanRuns.set(name, known);
  return known;
}

async function measureCleanRun(board: CampaignBoard): Promise<CleanRun> {
  const bench = await benchFor(board);
  await bench.clock.run(() => runProvisioning(bench, board.chip));
  const { passed, operations } = bench.faults;
  return {
    length: {
      toDevice: passed['to-device'],
      toHost: passed['to-host'],
      operations,
      sectors: [0, WRITTEN_END / 0x1000],
    },
    flash: bench.board.snapshot(),
    time: bench.clock.now(),
  };
}
