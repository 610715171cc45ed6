// @vitest-environment happy-dom
/** The state behind the Provision screen, with a virtual board in modelled time. */
import { DemoBoard } from '#app/demo/demo-board.ts';
import { type DemoChip } from '#app/demo/demo-messages.ts';
import { type ProvisionedBoard, ProvisionedRequest } from '#api.ts';
import { StationReport } from '#app/state/updates/station-report.svelte.ts';
import { toHex } from '#formats/bytes.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { type BenchOptions, Bench } from '../../device/support/bench.ts';
import { sleep } from '#clock.ts';
import { ModelClock } from '#model-clock.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { makeRelease, makeReleaseFiles } from '../../support/releases.ts';
import { text as nvsText, TWO_SLOTS } from '../../workflows/boards.ts';
import { demoFiles } from '../../support/make-demo-release.ts';
import { expect, test } from 'vitest';
import { fileOf, picked, testPlanner } from './support/planner.ts';
import { ScriptedStation } from './support/station.ts';

const NETWORK = { ssid: 'workshop', password: 'two steps ahead' };

interface Scene {
  bench: Bench;
  flow: Provisioning;
}

async function onScene(
  options: BenchOptions,
  body: (scene: Scene) => Promise<void>,
  station?: ScriptedStation,
): Promise<void> {
  const bench = new Bench({ network: { accessPoint: NETWORK }, ...options });
  const flow = new Provisioning({
    planner: testPlanner(),
    clock: bench.clock,
    ports: bench.ports,
    startDemo: () => {
      throw new Error('No demo here');
    },
    ...(station && { report: new StationReport(station.client) }),
  });
  await bench.clock.run(() => body({ bench, flow }));
}

/** A virtual board that only tells when it is thrown away. */
function idleDemo(chip: DemoChip, ended: DemoChip[]): DemoBoard {
  const channel = { postMessage: () => undefined, onmessage: null };
  return new DemoBoard(channel, { chip, speed: 1 }, () => ended.push(chip));
}

async function takeDemo({ release }: Provisioning): Promise<void> {
  const files = demoFiles();
  const data = files.find(({ path }) => path === 'voices.bin')!;
  await release.takeBoth(async () => ({
    files: picked(
      files.filter((file) => file !== data),
      'demo/',
    ),
    data: fileOf('voices.bin', data.bytes),
  }));
}

/** What the screen's effects do. */
async function replanned(flow: Provisioning): Promise<void> {
  flow.replan();
  await flow.planning.settled();
}

async function ready({ bench, flow }: Scene): Promise<void> {
  await takeDemo(flow);
  flow.settings.ssid = NETWORK.ssid;
  flow.settings.password = NETWORK.password;
  await flow.choosePort();
  await replanned(flow);
  expect(flow.connection.board?.identity.chip.name).toBe(bench.board.chip.name);
}

const asPlanned = ({ bench, flow }: Scene): boolean =>
  (flow.plan?.writes ?? [])
    .filter(({ transient }) => !transient)
    .every(({ offset, data }) => data.every((byte, index) => bench.board.flash.bytes[offset + index] === byte));

test('one thing after the other is next: choose, connect, write, next board', async () => {
  await onScene({}, async (scene) => {
    const { flow } = scene;
    expect(flow.next).toBe('choose');
    await takeDemo(flow);
    expect(flow.next).toBe('connect');
    await ready(scene);
    expect(flow.next).toBe('write');
    expect(flow.planning.answer?.preview).toBe(false);
    await flow.write();
    expect(flow.job.error).toBeUndefined();
    expect(flow.job).toMatchObject({ status: 'done', verdict: { address: '192.168.1.57' } });
    expect(flow.job.progress.finished).toBe(true);
    expect(asPlanned(scene)).toBe(true);
    expect(flow.next).toBe('next-board');
    await flow.nextBoard();
    expect(flow.next).toBe('connect');
    expect(flow.settings.password).toBe(NETWORK.password);
  });
});

test('the station is told what the board holds once it is written, and never of one that failed', async () => {
  const station = new ScriptedStation().on('POST boards/provisioned', () => ({}));
  await onScene(
    {},
    async (scene) => {
      const { flow } = scene;
      await ready(scene);
      await flow.write();
      const { pa, pb } = flow.plan!.roles!;
      const [told, ...more] = station.seen('POST boards/provisioned') as ProvisionedBoard[];
      expect(more).toEqual([]);
      expect(v.is(ProvisionedRequest, told)).toBe(true);
      const digestOf = (wanted: string): string => {
        const { data, imageSize } = flow.plan!.writes.find(({ role }) => role === wanted)!;
        return toHex(sha256(data.subarray(0, imageSize)));
      };
      expect(told).toMatchObject({
        mac: flow.connection.board!.identity.mac!,
        chip: 'esp32',
        address: '192.168.1.57',
        running: 'PA',
        slots: [
          { slot: 'PA', role: 'app', size: pa!.size, project: 'voice_box', sha256: digestOf('app') },
          { slot: 'PB', role: 'data', size: pb!.size, sha256: digestOf('data') },
        ],
      });
      await flow.nextBoard();
    },
    station,
  );
  await onScene(
    { faults: [{ kind: 'unplug', direction: 'to-device', at: 120_000 }] },
    async (scene) => {
      await ready(scene);
      await scene.flow.write();
      expect(scene.flow.job.status).toBe('failed');
    },
    station,
  );
  expect(station.seen('POST boards/provisioned')).toHaveLength(1);
});

test('without a station nothing is told and nothing fails; one that refuses is a note beside a run that is done', async () => {
  const station = new ScriptedStation();
  const write = async (): Promise<unknown> => {
    let error: unknown;
    await onScene(
      {},
      async (scene) => {
        await ready(scene);
        await scene.flow.write();
        await sleep(scene.bench.clock, 1);
        expect(scene.flow.job.status).toBe('done');
        error = scene.flow.report?.error;
      },
      station,
    );
    return error;
  };
  station.page = { status: 404, text: 'no' };
  expect(await write()).toBeUndefined();
  station.page = undefined;
  station.silent = true;
  expect(await write()).toBeUndefined();
  station.silent = false;
  expect(await write()).toMatchObject({ code: 'not-found' });
});

test.each(['esp32s3', 'esp32c3'])(
  'a virtual %s on its own USB, which leaves at each reset, is provisioned',
  async (chip) => {
    await onScene({ chip, wiring: 'usb-serial-jtag' }, async (scene) => {
      await ready(scene);
      await scene.flow.write();
      expect(scene.flow.job.status).toBe('done');
      expect(asPlanned(scene)).toBe(true);
      expect(scene.flow.connection.present).toBe(true);
    });
  },
);

test('of virtual boards one is there at a time: the one before is thrown away, however hasty the choice', async () => {
  const started: DemoChip[] = [];
  const ended: DemoChip[] = [];
  const startDemo = (chip: DemoChip): DemoBoard => {
    started.push(chip);
    return idleDemo(chip, ended);
  };
  const flow = new Provisioning({ planner: testPlanner(), clock: new ModelClock(), ports: undefined, startDemo });
  void flow.connectDemo('esp32');
  void flow.connectDemo('esp32');
  void flow.connectDemo('esp32c3');
  await flow.demo.take(idleDemo('esp32s3', ended));
  expect([started, ended, flow.demo.board?.chip]).toEqual([['esp32', 'esp32c3'], ['esp32', 'esp32c3'], 'esp32s3']);
});

test('the plan that is carried out is that of the last key, not the one on the screen', async () => {
  await onScene({}, async (scene) => {
    const { flow } = scene;
    await ready(scene);
    flow.settings.password = 'another password';
    await flow.write();
    expect(flow.job.error).toMatchObject({ code: 'wifi-refused-by-network' });
    expect(flow.next).toBe('again');
    flow.settings.password = NETWORK.password;
    await flow.write();
    expect(flow.job.status).toBe('done');
  });
});

test('a pulled cable ends the run with its code; the same again waits for the board and goes through', async () => {
  await onScene({ faults: [{ kind: 'unplug', direction: 'to-device', at: 120_000 }] }, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    await flow.write();
    expect(flow.job.error).toMatchObject({ code: 'port-lost' });
    expect(flow.connection.present).toBe(false);
    const again = flow.write();
    bench.clock.after(3000, () => bench.board.plugIn());
    await again;
    expect(flow.job.status).toBe('done');
    expect(asPlanned(scene)).toBe(true);
  });
});

test('a cancelled run says so, leaves the port free, and can be run again', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    const run = flow.write();
    bench.clock.after(2500, () => flow.job.cancel());
    await run;
    expect(flow.job).toMatchObject({ status: 'cancelled', touched: true, error: undefined });
    expect(await bench.isFree()).toBe(true);
    await flow.write();
    expect(flow.job.status).toBe('done');
  });
});

test('of a board that was written before, only what differs is sent: nothing, or everything when that is asked for', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    await flow.write();
    await flow.nextBoard();
    await ready(scene);
    flow.compare();
    while (flow.toSend === undefined) await sleep(bench.clock, 50);
    expect(flow.toSend).toBe(0);
    await flow.write();
    expect(flow.job).toMatchObject({ status: 'done', touched: false, progress: { toSend: 0 } });
    await flow.nextBoard();
    flow.settings.sends = 'everything';
    await ready(scene);
    flow.compare();
    const all = flow.toSend;
    expect(all).toBeGreaterThan(0);
    await flow.write();
    expect(flow.job).toMatchObject({ status: 'done', touched: true, progress: { sent: all, toSend: all } });
    expect(asPlanned(scene)).toBe(true);
  });
});

test('a run that begins while the flash is compared goes through', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    await flow.write();
    await flow.nextBoard();
    await ready(scene);
    flow.compare();
    await sleep(bench.clock, 20);
    expect(flow.toSend).toBeUndefined();
    await flow.write();
    expect(flow.job).toMatchObject({ status: 'done', touched: false });
  });
});

test('a second press while a run goes on changes nothing', async () => {
  await onScene({}, async (scene) => {
    const { flow } = scene;
    await ready(scene);
    const run = flow.write();
    await flow.write();
    expect(flow.connection.status).toBe('working');
    await run;
    expect(flow.job.status).toBe('done');
    expect(asPlanned(scene)).toBe(true);
  });
});

test('another board on the same port is not written', async () => {
  await onScene({ faults: [{ kind: 'unplug', direction: 'to-device', at: 120_000 }] }, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    await flow.write();
    const run = flow.write();
    bench.ports.add(new VirtualEsp32({ chip: 'esp32', clock: bench.clock, efuses: { mac: '24:0a:c4:99:99:99' } }));
    await run;
    expect(flow.job.error).toMatchObject({ code: 'wrong-board' });
  });
});

test('a board that goes while nothing is done is told at once', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench } = scene;
    await ready(scene);
    bench.board.pullCable();
    expect(flow.connection.status).toBe('failed');
    expect(flow.connection.error).toMatchObject({ code: 'port-lost' });
    expect(flow.next).toBe('connect');
  });
});

test('a board that does not listen is waited for until its boot button is held', async () => {
  await onScene({ cut: ['modem'] }, async ({ bench, flow }) => {
    const connecting = flow.choosePort();
    bench.clock.after(9000, () => {
      expect(flow.connection.status).toBe('waiting');
      expect(flow.connection.error).toMatchObject({ code: 'normal-boot' });
      bench.board.holdBootButton(true);
      bench.board.pressReset();
    });
    await connecting;
    expect(flow.connection.status).toBe('connected');
  });
});

test('waiting can be stopped, and ends by itself with the cause', async () => {
  await onScene({ cut: ['to-host'] }, async ({ bench, flow }) => {
    const connecting = flow.choosePort();
    bench.clock.after(9000, () => flow.connection.stop());
    await connecting;
    expect(flow.connection.status).toBe('none');
    await flow.choosePort();
    expect(flow.connection).toMatchObject({ status: 'failed', error: { code: 'silent' } });
  });
});

test('the settings follow the Wi-Fi store that a release names, and stay with one that names none', async () => {
  await onScene({}, async ({ flow }) => {
    const wifiStore = { kind: 'namespace', namespace: 'cfg', ssidKey: 'net', passwordKey: 'pw' } as const;
    const release = prepareRelease(makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }), { wifiStore });
    await flow.release.take(picked([{ path: 'release.zip', bytes: encodeReleaseFile(release) }]));
    await flow.releaseChanged();
    expect(flow.settings).toMatchObject({ store: 'namespace', namespace: 'cfg', ssidKey: 'net', passwordKey: 'pw' });
    await takeDemo(flow);
    await flow.releaseChanged();
    expect(flow.settings.store).toBe('namespace');
  });
});

test('a release that is chosen while the board is read has its places looked at as well', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench } = scene;
    const table = TWO_SLOTS.map((row) => (row.name === 'nvs' ? { ...row, offset: 0xa000, size: 0x3000 } : row));
    bench.board.flash.bytes.set(encodeNvs([nvsText('app', 'name', 'kitchen')], 0x3000), 0xa000);
    const connecting = flow.choosePort();
    while (flow.connection.step !== 'read') await sleep(bench.clock, 5);
    await flow.release.take(picked(makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: table })));
    await flow.releaseChanged();
    expect(flow.connection.status).toBe('connecting');
    await connecting;
    expect(flow.connection.board?.nvs?.partition.offset).toBe(0xa000);
  });
});

test('of two releases the one that was chosen last counts, also while the demo is still on its way', async () => {
  await onScene({}, async ({ flow: { release } }) => {
    let arrive = (): void => undefined;
    const late = new Promise<void>((resolve) => (arrive = resolve));
    const demo = release.takeBoth(async () => {
      await late;
      return { files: picked(demoFiles()), data: fileOf('voices.bin', new Uint8Array(9)) };
    });
    await release.take(picked(makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS })));
    arrive();
    await demo;
    expect(release).toMatchObject({ summary: { kind: 'idf-build' }, data: undefined, reading: false });
  });
});

test('a wrong file after a release is objected to, and the release stays; also one that was overtaken', async () => {
  await onScene({}, async ({ flow }) => {
    const { release } = flow;
    await takeDemo(flow);
    const { summary, files } = release;
    const letter = picked([{ path: 'letter.txt', bytes: new TextEncoder().encode('Dear board') }]);
    await release.take(letter);
    expect(release).toMatchObject({ reading: false, error: { name: 'FormatError' } });
    expect(release.summary).toBe(summary);
    expect(release.files).toBe(files);
    const build = picked(makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }));
    await Promise.all([release.take(build), release.take(letter)]);
    expect(release).toMatchObject({ summary: { kind: 'idf-build' }, error: { name: 'FormatError' } });
    await release.take(build);
    expect(release.error).toBeUndefined();
  });
});

test('what is wrong with the settings is in the way of writing', async () => {
  await onScene({}, async (scene) => {
    const { flow } = scene;
    await ready(scene);
    flow.settings.password = 'short';
    expect(flow.settings.problems).toHaveProperty('password');
    expect(flow.next).toBe('settle');
    flow.settings.ssid = '';
    expect(flow.settings.problems).toHaveProperty('ssid');
    flow.settings.store = 'none';
    expect(flow.next).toBe('write');
    flow.settings.store = 'namespace';
    flow.settings.namespace = 'has:colon';
    expect(flow.settings.problems).toHaveProperty('store');
  });
});

test('a disconnected board starts its own program again', async () => {
  await onScene({}, async (scene) => {
    await ready(scene);
    await scene.flow.connection.disconnect();
    // EN takes its time to rise.
    await sleep(scene.bench.clock, 10);
    expect(scene.bench.board.inDownloadMode).toBe(false);
    expect(await scene.bench.isFree()).toBe(true);
  });
});

test('a port remembers who was behind it', async () => {
  await onScene({}, async (scene) => {
    await ready(scene);
    await scene.flow.shelf?.refresh();
    expect(scene.flow.shelf?.ports).toMatchObject([
      { name: 'CP2102 bridge', board: { chip: 'ESP32', mac: scene.flow.connection.board?.identity.mac } },
    ]);
  });
});
