/**
 * Provisioning under 100 seeded faults: the cable pulled, an abort, bits flipped or lost on the line, a chip that hangs, a sector
 * that will not take data, a supply that fails. Each run ends in success with the right bytes or in the right error,
 * in time, with the port free; and a second run without the fault succeeds and leaves what a run without any fault leaves.
 */
import { describe, expect, test } from 'vitest';
import { sleep } from '#clock.ts';
import { DeviceError } from '#device/device-error.ts';
import { type Port } from '#device/port.ts';
import { FAULT_KINDS, type FaultKind, randomFault, type RunLength, seededRandom } from '#sim/faults.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { Bench, type BenchOptions } from '../device/support/bench.ts';
import { makeRelease, VIRTUAL_CHIPS, type VirtualChip } from '../support/releases.ts';
import { payload, TWO_SLOTS } from './boards.ts';

const NETWORK = { accessPoint: { ssid: 'workshop', password: 'correct horse' } };
const OPTIONS: ProvisionOptions = {
  data: { name: 'voices.bin', bytes: payload(60_000) },
  wifi: { store: { kind: 'idf' }, ssid: 'workshop', password: 'correct horse' },
};
const POINTS = 100;
/** Milliseconds of modelled time in which an abort or a pulled cable must be answered. */
const ANSWER_MS = 2000;
/** What a native-USB board takes to be back on the bus. */
const BACK_MS = 1000;
/** The last wait of a run: whether a silent boot loader's app stays up. What happens in there may come too late to matter. */
const LAST_WAIT_MS = 5000;

const releases = Object.fromEntries(
  VIRTUAL_CHIPS.map((chip) => [chip, makeRelease({ chip, kind: 'idf', partitions: TWO_SLOTS, appSize: 0x1_8000 })]),
) as Record<VirtualChip, ReturnType<typeof makeRelease>>;

async function run(bench: Bench, chip: VirtualChip, signal?: AbortSignal): Promise<unknown> {
  const board = await bench.connect({ signal });
  let plan;
  try {
    plan = planProvision(releases[chip], await readBoardState(board, board.identity, { signal }), OPTIONS);
  } catch (error) {
    await board.close();
    throw error;
  }
  return provision(board, plan, { signal });
}

interface Clean {
  length: RunLength;
  flash: Uint8Array;
  /** Modelled milliseconds. */
  time: number;
}

/** What a run without faults does, and how long it is: the faults are put into that. */
async function cleanRun(options: BenchOptions & { chip: VirtualChip }): Promise<Clean> {
  const bench = new Bench({ ...options, network: NETWORK });
  await bench.clock.run(() => run(bench, options.chip));
  const { passed, operations } = bench.faults;
  return {
    length: { toDevice: passed['to-device'], toHost: passed['to-host'], operations, sectors: [0, 0x21_0000 / 0x1000] },
    flash: bench.board.snapshot(),
    time: bench.clock.now(),
  };
}

const clean: Record<VirtualChip, Clean> = {
  esp32: await cleanRun({ chip: 'esp32' }),
  esp32s3: await cleanRun({ chip: 'esp32s3' }),
  esp32c3: await cleanRun({ chip: 'esp32c3', wiring: 'usb-serial-jtag' }),
};
const boardOf = (chip: VirtualChip): BenchOptions =>
  chip === 'esp32c3' ? { chip, wiring: 'usb-serial-jtag', network: NETWORK } : { chip, network: NETWORK };

/** Errors that a fault of that kind may end in. An abort of ours is no error of the board's. */
const RIGHT_ERRORS: Record<FaultKind, readonly string[]> = {
  // Noise and loss are mended by retries, or end in one of these when they hit connecting or the console again and again.
  flip: [
    'bad-reply',
    'no-reply',
    'normal-boot',
    'silent',
    'unreadable',
    'stub-failed',
    'connect-timeout',
    'command-refused',
  ],
  drop: [
    'bad-reply',
    'no-reply',
    'normal-boot',
    'silent',
    'unreadable',
    'stub-failed',
    'connect-timeout',
    'command-refused',
  ],
  unplug: ['port-lost', 'port-missing', 'port-in-use-or-missing'],
  hang: ['no-reply', 'silent', 'port-lost', 'stub-failed', 'connect-timeout', 'boot-loop'],
  'bad-sector': ['verify-failed', 'flash-failed'],
  'power-cut': ['no-reply', 'port-lost', 'flash-failed', 'verify-failed', 'boot-loop', 'connect-timeout'],
};

const codeOf = (error: unknown): string =>
  error instanceof DeviceError || error instanceof WorkflowError
    ? error.code
    : `${(error as Error).name}: ${String(error)}`;

describe.each(FAULT_KINDS)('%s', (kind) => {
  const share = Math.ceil(POINTS / (FAULT_KINDS.length + 1));
  test.each(Array.from({ length: share }, (_, index) => index))('point %i', async (index) => {
    const random = seededRandom(1000 * FAULT_KINDS.indexOf(kind) + index);
    const chip = VIRTUAL_CHIPS[index % VIRTUAL_CHIPS.length]!;
    const fault = randomFault(kind, clean[chip].length, random);
    const bench = new Bench({ ...boardOf(chip), faults: [fault] });
    await bench.clock.run(async () => {
      let code = 'none';
      try {
        await run(bench, chip);
      } catch (error) {
        code = codeOf(error);
      }
      if (code === 'none')
        expect(Buffer.compare(bench.board.snapshot(), clean[chip].flash), JSON.stringify(fault)).toBe(0);
      else expect(RIGHT_ERRORS[kind], JSON.stringify(fault)).toContain(code);
      // Retries and time-outs may double a run, but never hang it.
      expect(bench.clock.now()).toBeLessThan(4 * clean[chip].time + 60_000);
      expect(await bench.isFree()).toBe(true);

      bench.board.flash.badSectors.clear();
      bench.board.plugIn();
      bench.board.powerOn();
      await sleep(bench.clock, BACK_MS);
      await run(bench, chip);
      expect(Buffer.compare(bench.board.snapshot(), clean[chip].flash), JSON.stringify(fault)).toBe(0);
    });
  });
});

describe('abort', () => {
  const share = Math.ceil(POINTS / (FAULT_KINDS.length + 1));
  test.each(Array.from({ length: share }, (_, index) => index))('point %i', async (index) => {
    const chip = VIRTUAL_CHIPS[index % VIRTUAL_CHIPS.length]!;
    const random = seededRandom(7777 + index);
    const bench = new Bench(boardOf(chip));
    await bench.clock.run(async () => {
      const controller = new AbortController();
      const at = random() * clean[chip].time;
      bench.clock.after(at, () => controller.abort());
      await expect(run(bench, chip, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
      expect(bench.clock.now() - at).toBeLessThan(ANSWER_MS);
      expect(await bench.isFree()).toBe(true);
      await run(bench, chip);
      expect(Buffer.compare(bench.board.snapshot(), clean[chip].flash)).toBe(0);
    });
  });
});

test.each(VIRTUAL_CHIPS)('a cable pulled from an %s is told within two seconds, at any time', async (chip) => {
  for (let point = 1; point <= 8; point++) {
    const bench = new Bench(boardOf(chip));
    await bench.clock.run(async () => {
      const at = (point / 9) * (clean[chip].time - LAST_WAIT_MS);
      bench.clock.after(at, () => bench.board.pullCable());
      await expect(run(bench, chip)).rejects.toBeInstanceOf(DeviceError);
      expect(bench.clock.now() - at).toBeLessThan(ANSWER_MS);
    });
  }
});

test('a port that is busy, missing or not allowed is told apart where the platform does', async () => {
  const kinds = { busy: 'port-busy', missing: 'port-missing', 'no-permission': 'port-no-permission' } as const;
  for (const [kind, code] of Object.entries(kinds) as [keyof typeof kinds, string][]) {
    const inNode = new Bench({ chip: 'esp32', port: { openFault: { kind, style: 'node' } } });
    await expect(inNode.clock.run(() => run(inNode, 'esp32'))).rejects.toMatchObject({ code });
    const inBrowser = new Bench({ chip: 'esp32', port: { openFault: { kind, style: 'browser' } } });
    await expect(inBrowser.clock.run(() => run(inBrowser, 'esp32'))).rejects.toMatchObject({
      code: 'port-in-use-or-missing',
    });
  }
  const port: Port = new Bench({ chip: 'esp32' }).port;
  expect(port.getInfo()).toEqual({ usbVendorId: 0x10c4, usbProductId: 0xea60 });
});
