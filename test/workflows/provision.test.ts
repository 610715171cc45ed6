/** Provisioning as a whole: device layer, virtual board and workflow, in modelled time, compared byte for byte. */
import { describe, expect, test } from 'vitest';
import { alignUp } from '#formats/bytes.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { type Release } from '#formats/release/release.ts';
import { type HouseFirmware } from '#sim/firmware/house-firmware.ts';
import { FlashBoot } from '#sim/boot/second-stage.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type BootVerdict } from '#workflows/boot-watch.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { type Bench, type BenchOptions, onBench } from '../device/support/bench.ts';
import {
  appImage,
  makeRelease,
  type ReleaseShape,
  swappedOtadata,
  VIRTUAL_CHIPS,
  type VirtualChip,
} from '../support/releases.ts';
import { APP, dataImage, fixture, MIB, NVS_ROW, payload, row, sample, text, TWO_SLOTS } from './boards.ts';

const NETWORK = { accessPoint: { ssid: 'workshop', password: 'correct horse' } };
const WIFI = { store: { kind: 'idf' } as const, ssid: 'workshop', password: 'correct horse' };
const DATA = { name: 'voices.bin', bytes: payload(150_000) };
const SETTINGS = [text('app', 'name', 'kitchen'), text('app', 'token', 'abc')];
const FACTORY: Partition[] = [
  NVS_ROW,
  row('otadata', [1, 0], [0xd000, 0x2000]),
  row('phy_init', [1, 1], [0xf000, 0x1000]),
  row('factory', [0, 0], [0x1_0000, MIB]),
  row('ota_0', [0, 0x10], [0x11_0000, MIB]),
  row('ota_1', [0, 0x11], [0x21_0000, MIB]),
];

interface Outcome {
  plan: FlashPlan;
  verdict: BootVerdict | undefined;
  house: HouseFirmware;
}

/** Connects, plans, runs, and holds the flash to the plan: its sectors as planned, everything else as it was. */
async function provisionOn(bench: Bench, release: Release, options: ProvisionOptions): Promise<Outcome> {
  const before = bench.board.snapshot();
  const board = await bench.connect();
  const plan = planProvision(release, await readBoardState(board, board.identity), options);
  expect(plan.objections).toEqual([]);
  const verdict = await provision(board, plan);
  const expected = before;
  for (const { offset, data } of plan.writes) {
    expected.fill(0xff, offset, alignUp(offset + data.length, 0x1000));
    expected.set(data, offset);
  }
  expect(Buffer.compare(bench.board.snapshot(), expected)).toBe(0);
  const { program } = bench.board;
  if (!(program instanceof FlashBoot) || !program.app) throw new Error('Nothing runs on the board');
  return { plan, verdict, house: program.app as HouseFirmware };
}

function dataShown(house: HouseFirmware): string {
  return new TextDecoder().decode(house.state.data?.bytes);
}

/** A board that has run before. */
function usedBoard(chip: VirtualChip, { swapped = false, partitions = TWO_SLOTS } = {}): BenchOptions {
  const flash = new Uint8Array(4 * MIB).fill(0xff);
  flash.set(encodePartitionTable(partitions), 0x8000);
  flash.set(encodeNvs(SETTINGS, NVS_ROW.size), NVS_ROW.offset);
  const slot = (subtype: number): number =>
    partitions.find((part) => part.type === 0 && part.subtype === subtype)!.offset;
  flash.set(appImage({ chip, version: '0.9' }), slot(swapped ? 0x11 : 0x10));
  flash.set(dataImage(chip, payload(3000, 'old data 1')), slot(swapped ? 0x10 : 0x11));
  if (swapped) flash.set(swappedOtadata(), 0xd000);
  return { chip, flash, network: NETWORK };
}

const shapes = VIRTUAL_CHIPS.flatMap((chip) =>
  (['idf', 'arduino', 'merged'] as const).map((kind): ReleaseShape => ({
    chip,
    kind,
    partitions: TWO_SLOTS,
    version: '2.4.0',
  })),
);

describe.each(shapes)('$kind release on an $chip', (shape) => {
  const { chip } = shape;
  const release = makeRelease(shape);

  test('brings a blank board onto the network, with its data mapped', () =>
    onBench({ chip, network: NETWORK }, async (bench) => {
      const { verdict, house } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(verdict).toEqual({ by: 'loaded-app', appOffset: 0x10_0000, address: '192.168.1.57' });
      expect(house.state).toMatchObject({ runningSlot: 'ota_0', version: '2.4.0', ssid: 'workshop' });
      expect(dataShown(house)).toBe('voices 2.4');
    }));

  test('keeps a swapped board swapped, and its settings', () =>
    onBench(usedBoard(chip, { swapped: true }), async (bench) => {
      const { house, verdict } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(house.state.runningSlot).toBe('ota_1');
      expect(verdict?.address).toBe('192.168.1.57');
      expect(dataShown(house)).toBe('voices 2.4');
      const nvs = bench.board.snapshot().subarray(NVS_ROW.offset, NVS_ROW.offset + NVS_ROW.size);
      for (const entry of SETTINGS) expect(decodeNvs(nvs).entries).toContainEqual(entry);
    }));

  test('puts a swapped board back on request', () =>
    onBench(usedBoard(chip, { swapped: true }), async (bench) => {
      const { house } = await provisionOn(bench, release, { data: DATA, orientation: 'normal' });
      expect(house.state.runningSlot).toBe('ota_0');
      expect(dataShown(house)).toBe('voices 2.4');
    }));

  test('leaves a factory app alone and starts ota_0', () =>
    onBench(usedBoard(chip, { partitions: FACTORY }), async (bench) => {
      const withFactory = makeRelease({ ...shape, partitions: FACTORY });
      const { house, verdict, plan } = await provisionOn(bench, withFactory, { data: DATA, wifi: WIFI });
      expect(house.state.runningSlot).toBe('ota_0');
      expect(verdict?.address).toBe('192.168.1.57');
      expect(plan.warnings.map(({ code }) => code)).toContain('factory-kept');
    }));

  test('gets a proposed two-slot table when it has only a factory row, and the settings move along', () =>
    onBench(usedBoard(chip), async (bench) => {
      const plain = [NVS_ROW, row('phy_init', [1, 1], [0xf000, 0x1000]), row('factory', [0, 0], [0x1_0000, MIB])];
      const { house, verdict, plan } = await provisionOn(bench, makeRelease({ ...shape, partitions: plain }), {
        data: DATA,
        wifi: WIFI,
        table: { kind: 'two-slot' },
      });
      expect(plan.roles).toMatchObject({ app: { name: 'ota_0' }, data: { name: 'ota_1' } });
      expect(house.state.runningSlot).toBe('ota_0');
      expect(verdict?.address).toBe('192.168.1.57');
      expect(dataShown(house)).toBe('voices 2.4');
    }));

  test('is flashed plainly on request', () =>
    onBench({ chip, network: NETWORK }, async (bench) => {
      const plain = [NVS_ROW, row('phy_init', [1, 1], [0xf000, 0x1000]), row('factory', [0, 0], [0x1_0000, MIB])];
      const { house, verdict } = await provisionOn(bench, makeRelease({ ...shape, partitions: plain }), {
        wifi: WIFI,
        table: { kind: 'release' },
      });
      expect(house.state.runningSlot).toBe('factory');
      expect(verdict?.address).toBe('192.168.1.57');
    }));

  test('a second run with the same things changes nothing', () =>
    onBench({ chip, network: NETWORK }, async (bench) => {
      await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      const first = bench.board.snapshot();
      const { plan } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(plan.lost.every(({ why }) => why === 'replaced')).toBe(true);
      expect(Buffer.compare(bench.board.snapshot(), first)).toBe(0);
    }));
});

describe.each(VIRTUAL_CHIPS)('an %s whose stub does not start', (chip) => {
  const release = makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS });

  test('is provisioned by its ROM, and comes up', () =>
    onBench({ chip, network: NETWORK, crashesUploads: true }, async (bench) => {
      const { verdict, house } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(verdict).toEqual({ by: 'loaded-app', appOffset: 0x10_0000, address: '192.168.1.57' });
      expect(dataShown(house)).toBe('voices 2.4');
    }));

  test('keeps what it has, and a second run changes nothing', () =>
    onBench({ ...usedBoard(chip, { swapped: true }), crashesUploads: true }, async (bench) => {
      const { house } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(house.state.runningSlot).toBe('ota_1');
      const first = bench.board.snapshot();
      await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(Buffer.compare(bench.board.snapshot(), first)).toBe(0);
    }));
});

describe.each(['esp32s3', 'esp32c3'] as const)('an %s on its own USB', (chip) => {
  test('leaves and comes back as another port, and the job goes on', () =>
    onBench({ chip, wiring: 'usb-serial-jtag', network: NETWORK }, async (bench) => {
      const release = makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS });
      const { verdict } = await provisionOn(bench, release, { data: DATA, wifi: WIFI });
      expect(verdict).toMatchObject({ address: '192.168.1.57' });
    }));
});

describe('the samples', () => {
  test.each([
    ['idf-build', 'esp32'],
    ['arduino-build', 'esp32'],
    ['web-tools', 'esp32'],
    ['web-tools', 'esp32s3'],
  ] as const)('%s comes up on an %s', (folder, chip) =>
    onBench({ chip, network: NETWORK }, async (bench) => {
      const { verdict, house } = await provisionOn(bench, sample(folder), { data: DATA, wifi: WIFI });
      expect(verdict).toMatchObject({ address: '192.168.1.57' });
      expect(dataShown(house)).toBe('voices 2.4');
    }),
  );
});

test('a lone app updates the app slot of a swapped board and nothing else', () =>
  onBench(usedBoard('esp32', { swapped: true }), async (bench) => {
    bench.board.flash.bytes.set(fixture('app/esp32-bootloader.bin'), 0x1000);
    const board = await bench.connect();
    const release = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS });
    const [build] = release.builds;
    const { chip, extra, notes } = build!;
    const lone: Release = {
      ...release,
      kind: 'app',
      builds: [{ chip, extra, notes, app: { ...build!.app, data: APP } }],
    };
    const plan = planProvision(lone, await readBoardState(board, board.identity));
    expect(plan.objections).toEqual([]);
    expect(plan.writes.map(({ role, offset }) => [role, offset])).toEqual([
      ['otadata', 0xd000],
      ['app', 0x20_0000],
    ]);
    expect(await provision(board, plan)).toMatchObject({ appOffset: 0x20_0000 });
  }));

describe('a board that does not come up', () => {
  const release = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS });
  const run = async (bench: Bench, options: ProvisionOptions): Promise<unknown> => {
    const board = await bench.connect();
    const plan = planProvision(release, await readBoardState(board, board.identity), options);
    return provision(board, plan);
  };

  test('because of a wrong Wi-Fi password is told so, and the next run with the right one mends it', () =>
    onBench({ chip: 'esp32', network: NETWORK }, async (bench) => {
      const wrong = { ...WIFI, password: 'wrong horse' };
      await expect(run(bench, { wifi: wrong })).rejects.toMatchObject({ code: 'wifi-refused-by-network' });
      expect(await bench.isFree()).toBe(true);
      await expect(run(bench, { wifi: WIFI })).resolves.toMatchObject({ address: '192.168.1.57' });
    }));

  test('because there is no such network is told so', () =>
    onBench({ chip: 'esp32', network: {} }, async (bench) => {
      await expect(run(bench, { wifi: WIFI })).rejects.toMatchObject({ code: 'wifi-network-not-found' });
    }));

  test('because no reset line reaches it is told apart from a silent one', () =>
    onBench({ chip: 'esp32', network: NETWORK, boot: 'download', cut: ['modem'] }, async (bench) => {
      const board = await bench.connect({ before: 'none' });
      const plan = planProvision(release, await readBoardState(board, board.identity));
      await expect(provision(board, plan)).rejects.toMatchObject({ code: 'restart-failed' });
      expect(await bench.isFree()).toBe(true);
    }));

  test('because its plan has objections is not touched', () =>
    onBench({ chip: 'esp32', network: NETWORK }, async (bench) => {
      const before = bench.board.snapshot();
      const tooLarge = { name: 'd', bytes: payload(2 * MIB) };
      await expect(run(bench, { data: tooLarge })).rejects.toMatchObject({ code: 'plan-refused' });
      expect(Buffer.compare(bench.board.snapshot(), before)).toBe(0);
    }));
});

test.each([
  ['secure boot', { secureBoot: 'v2' as const }, 'esp32s3', 'secure-boot'],
  ['flash encryption', { flashEncryption: 'development' as const }, 'esp32c3', 'flash-encryption'],
  ['flash encryption', { flashEncryption: 'release' as const }, 'esp32', 'flash-encryption'],
  ['secure download mode', { secureDownload: true }, 'esp32s3', 'secure-download-mode'],
] as const)('a board with %s %j (%s) is refused with the reason, and not touched', (_, efuses, chip, code) =>
  onBench({ chip, efuses, network: NETWORK }, async (bench) => {
    const before = bench.board.snapshot();
    const board = await bench.connect();
    const release = makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS });
    const plan = planProvision(release, await readBoardState(board, board.identity));
    expect(plan.objections.map((objection) => objection.code)).toContain(code);
    expect(plan.writes).toEqual([]);
    await expect(provision(board, plan)).rejects.toMatchObject({ code: 'plan-refused' });
    expect(Buffer.compare(bench.board.snapshot(), before)).toBe(0);
  }),
);

test('the time on the wire is that of the line: 1 MiB that does not compress takes 11 to 16 s at 921600 baud', () =>
  onBench({ chip: 'esp32', network: NETWORK }, async (bench) => {
    const board = await bench.connect();
    const noise = new Uint8Array(MIB);
    crypto.getRandomValues(noise.subarray(0, 65_536));
    for (let offset = 65_536; offset < MIB; offset += 65_536)
      crypto.getRandomValues(noise.subarray(offset, offset + 65_536));
    const started = bench.clock.now();
    await board.write(0x10_0000, noise);
    const seconds = (bench.clock.now() - started) / 1000;
    expect(seconds).toBeGreaterThan(11);
    expect(seconds).toBeLessThan(16);
    await board.close();
  }));
