/**
 * Provisioning under seeded faults: the cable pulled, an abort, bits flipped or lost on the line, a chip that hangs, a
 * sector that will not take data, a supply that fails. What must hold is in test/campaign/campaign.ts, which
 * `npm run campaign` runs over as many seeds as one likes.
 */
import { describe, expect, test } from 'vitest';
import { DeviceError } from '#device/device-error.ts';
import { type Port } from '#device/port.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type CampaignPoint, POINT_KINDS, pointOf, runPoint } from '../campaign/campaign.ts';
import { BOARD_STATES, cleanRun } from '../campaign/area.ts';
import { benchFor, PROVISIONING, runProvisioning, SETTINGS } from '../campaign/provisioning.ts';
import { Bench } from '../device/support/bench.ts';
import { VIRTUAL_CHIPS } from '../support/releases.ts';
import { NVS_ROW } from './boards.ts';

/** Seeds that give every kind of fault on every board equally often, and a few with several faults in one run. */
const POINTS = await Promise.all(Array.from({ length: 120 }, (_, index) => pointOf(index)));
const SEVERAL = await Promise.all(Array.from({ length: 28 }, (_, index) => pointOf(600 + index, { faults: 3 })));
/** Milliseconds of modelled time in which a pulled cable must be answered. */
const ANSWER_MS = 2000;
/** The last wait of a run: whether a silent boot loader's app stays up. What happens in there may come too late to matter. */
const LAST_WAIT_MS = 5000;

const nameOf = ({ seed, board, kinds }: CampaignPoint): string =>
  `seed ${seed}: ${kinds.join(', ')} on a ${board.state} ${board.chip}`;

describe.each([
  { title: 'one fault', points: POINTS },
  { title: 'three faults', points: SEVERAL },
])('$title', ({ points }) => {
  test.each(points.map((point) => [nameOf(point), point] as const))('%s', async (_, point) => {
    expect((await runPoint(point)).violations, JSON.stringify(point.faults)).toEqual([]);
  });
});

test('the points hold every kind of fault on every board, and a pulled cable is felt', async () => {
  for (const chip of VIRTUAL_CHIPS) {
    for (const state of BOARD_STATES) {
      const here = POINTS.filter(({ board }) => board.chip === chip && board.state === state);
      expect(new Set(here.map(({ kinds: [first] }) => first))).toEqual(new Set(POINT_KINDS));
    }
  }
  const pulled = POINTS.filter(({ kinds: [first] }) => first === 'unplug').slice(0, 3);
  for (const point of pulled) expect((await runPoint(point)).outcome).not.toBe('done');
});

test.each(VIRTUAL_CHIPS)('a used %s has its settings still, after a run without faults', async (chip) => {
  const { flash } = await cleanRun(PROVISIONING, { chip, state: 'used' });
  const { entries } = decodeNvs(flash.subarray(NVS_ROW.offset, NVS_ROW.offset + NVS_ROW.size));
  expect(entries).toEqual(expect.arrayContaining(SETTINGS));
});

test.each(VIRTUAL_CHIPS)('a cable pulled from an %s is told within two seconds, at any time', async (chip) => {
  const { time } = await cleanRun(PROVISIONING, { chip, state: 'new' });
  for (let point = 1; point <= 8; point++) {
    const bench = await benchFor({ chip, state: 'new' });
    await bench.clock.run(async () => {
      const at = (point / 9) * (time - LAST_WAIT_MS);
      bench.clock.after(at, () => bench.board.pullCable());
      await expect(runProvisioning(bench, chip)).rejects.toBeInstanceOf(DeviceError);
      expect(bench.clock.now() - at).toBeLessThan(ANSWER_MS);
    });
  }
});

test('a port that is busy, missing or not allowed is told apart where the platform does', async () => {
  const kinds = { busy: 'port-busy', missing: 'port-missing', 'no-permission': 'port-no-permission' } as const;
  for (const [kind, code] of Object.entries(kinds) as [keyof typeof kinds, string][]) {
    const inNode = new Bench({ chip: 'esp32', port: { openFault: { kind, style: 'node' } } });
    await expect(inNode.clock.run(() => runProvisioning(inNode, 'esp32'))).rejects.toMatchObject({ code });
    const inBrowser = new Bench({ chip: 'esp32', port: { openFault: { kind, style: 'browser' } } });
    await expect(inBrowser.clock.run(() => runProvisioning(inBrowser, 'esp32'))).rejects.toMatchObject({
      code: 'port-in-use-or-missing',
    });
  }
  const port: Port = new Bench({ chip: 'esp32' }).port;
  expect(port.getInfo()).toEqual({ usbVendorId: 0x10c4, usbProductId: 0xea60 });
});
