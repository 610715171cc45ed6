/** What the flash campaign runs: a plan of large writes of every kind, compared, written and verified, on a flash of which the rest must stay. */
import { chipByName } from '#formats/chips.ts';
import { type FlashPlan, flashWrite } from '#workflows/flash-plan.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { Bench, noise, sampleData } from '../device/support/bench.ts';
import { type CampaignArea, type CampaignBoard } from './area.ts';

const FLASH_SIZE = 0x20_0000;
/** Bytes that do not compress, such as do, and stretches that are only to be blank. */
const MIXED = sampleData(0x6_1234, 3);
MIXED.fill(0xff, 0x1_0000, 0x3_0000);
MIXED.set(noise(0x1_8000, 11), 0x3_0000);
/** The same with a few sectors changed: what a used board holds of it. */
const OLDER = MIXED.slice();
for (const sector of [2, 40, 41, 80]) OLDER[sector * 0x1000 + 5]! ^= 0x40;

const PLACES = { mixed: 0x4_0000, plain: 0x10_3000, small: 0x1f_f000 };
const BACKGROUND = noise(FLASH_SIZE, 5);
/** All that the plan does not write. */
const KEPT_PARTS = [
  { label: 'low', offset: 0, length: PLACES.mixed },
  { label: 'middle', offset: 0xa_2000, length: PLACES.plain - 0xa_2000 },
  { label: 'high', offset: 0x12_8000, length: PLACES.small - 0x12_8000 },
];

function planOf({ chip }: CampaignBoard): FlashPlan {
  const write = (label: string, offset: number, data: Uint8Array) =>
    flashWrite({ role: 'other', label, offset, data, why: 'from-release' });
  return {
    chip: chipByName(chip)!,
    flashSize: FLASH_SIZE,
    writes: [
      write('mixed', PLACES.mixed, MIXED),
      write('plain', PLACES.plain, noise(0x2_4001, 7)),
      write('small', PLACES.small, sampleData(0x1000, 9)),
    ],
    kept: [],
    lost: [],
    untouched: KEPT_PARTS,
    objections: [],
    warnings: [],
    bootCheck: { timeoutSeconds: 5 },
  };
}

function flashOf({ state }: CampaignBoard): Uint8Array {
  if (state === 'new') return new Uint8Array(FLASH_SIZE).fill(0xff);
  const bytes = BACKGROUND.slice();
  bytes.set(OLDER, PLACES.mixed);
  return bytes;
}

export const FLASH_WRITES: CampaignArea = {
  name: 'flash',
  benchFor: async (board, faults = []) =>
    new Bench({
      chip: board.chip,
      flash: flashOf(board),
      // What boots does not matter here, and must not talk into the line.
      startFirmware: () => ({ receive: () => undefined, stop: () => undefined }),
      ...(board.chip === 'esp32c3' && { wiring: 'usb-serial-jtag' as const }),
      faults,
    }),
  run: async (bench, board, signal) => {
    const loader = await bench.connect({ signal });
    try {
      await runFlashPlan(loader, planOf(board), { signal });
    } finally {
      await loader.close();
    }
  },
  parts: () => KEPT_PARTS,
  sectors: [PLACES.mixed / 0x1000, (PLACES.plain + 0x2_5000 - PLACES.mixed) / 0x1000],
};
