/** What the fault campaign runs: provisioning of a virtual board, with settings and data, in modelled time. */
import { chipByName } from '#formats/chips.ts';
import { type NvsEntry, nvsString } from '#formats/nvs/nvs.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { DEFAULT_TABLE_OFFSET } from '#formats/partition-table.ts';
import { type Fault } from '#sim/faults.ts';
import { flashRegions } from '#workflows/flash-regions.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { Bench } from '../device/support/bench.ts';
import { appImage, makeRelease, VIRTUAL_CHIPS, type VirtualChip } from '../support/releases.ts';
import { MIB, NVS_ROW, payload, TWO_SLOTS } from '../workflows/boards.ts';
import { type CampaignArea, type CampaignBoard, cleanRun } from './area.ts';

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
  const bytes = (await cleanRun(PROVISIONING, { chip, state: 'new' })).flash.slice();
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

export const PROVISIONING: CampaignArea = {
  name: 'provision',
  benchFor,
  run: (bench, { chip }, signal) => runProvisioning(bench, chip, signal),
  parts: ({ chip }) =>
    flashRegions({
      chip: chipByName(chip)!,
      flashSize: 4 * MIB,
      table: { offset: DEFAULT_TABLE_OFFSET, partitions: TWO_SLOTS },
    }),
  sectors: [0, WRITTEN_END / 0x1000],
};
