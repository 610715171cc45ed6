/** What writing and reading flash costs: CPU against the peer, and modelled time against what the wire allows. */
import { deflateSync } from 'node:zlib';
import { equalBytes } from '#formats/bytes.ts';
import { Bench, noise } from '../device/support/bench.ts';
import { connectOurs, connectPeer, halfCompressible, type Host, likeFirmware, MIB } from './boards.ts';
import { type Benchmark, cpuMs, type Effort, figure, inTurns } from './measure.ts';

/** Bits on the line for one byte: start, eight, stop. */
const BITS_PER_BYTE = 10;
const BAUD = 921_600;
const SECTOR = 0x1000;

const sized = (full: number, { share }: Effort): number =>
  Math.max(SECTOR, Math.round((full * share) / SECTOR) * SECTOR);

/** Does something with both hosts, connected, and closes them. */
async function withHosts<T>(work: (ours: Host, peer: Host) => Promise<T>): Promise<T> {
  const ours = await connectOurs();
  const peer = await connectPeer();
  try {
    return await work(ours, peer);
  } finally {
    await ours.close();
    await peer.close();
  }
}

export const write: Benchmark = {
  name: 'write',
  run: (effort) => {
    const data = halfCompressible(sized(4 * MIB, effort));
    const measure = (host: Host) => async (): Promise<number> => {
      host.board.flash.bytes.fill(0xff);
      const spent = await cpuMs(() => host.write(data));
      if (!equalBytes(host.board.flash.bytes.subarray(0, data.length), data)) throw new Error('Not what was written');
      return (spent * MIB) / data.length;
    };
    return withHosts(async (ours, peer) => [
      figure('write', {
        ...(await inTurns(effort.rounds, measure(ours), measure(peer))),
        against: 'esptool-js writeFlash',
        unit: 'CPU ms/MiB',
      }),
    ]);
  },
};

export const read: Benchmark = {
  name: 'read',
  run: (effort) => {
    const data = halfCompressible(sized(MIB, effort));
    const measure = (host: Host) => async (): Promise<number> => {
      host.board.flash.bytes.set(data);
      let bytes = new Uint8Array();
      const spent = await cpuMs(async () => (bytes = new Uint8Array(await host.read(data.length))));
      if (!equalBytes(bytes, data)) throw new Error('Not what was in the flash');
      return (spent * MIB) / data.length;
    };
    return withHosts(async (ours, peer) => [
      figure('read', {
        ...(await inTurns(effort.rounds, measure(ours), measure(peer))),
        against: 'esptool-js readFlash',
        unit: 'CPU ms/MiB',
      }),
    ]);
  },
};

/** Modelled milliseconds of a verified write to a board that holds something else already. */
async function modelledWrite(data: Uint8Array): Promise<number> {
  const bench = new Bench({ chip: 'esp32' });
  bench.board.flash.bytes.fill(0x5a);
  return bench.clock.run(async () => {
    const board = await bench.connect({ baud: BAUD });
    const before = bench.clock.now();
    await board.write(0, data);
    const spent = bench.clock.now() - before;
    await board.close();
    return spent;
  });
}

const wireMs = (bytes: number): number => (bytes * BITS_PER_BYTE * 1000) / BAUD;

export const wire: Benchmark = {
  name: 'wire',
  run: async (effort) => {
    const length = sized(MIB, effort);
    const random = noise(length);
    const firmware = likeFirmware(length);
    const packed = deflateSync(firmware).length;
    return [
      figure('wire, incompressible', {
        ours: await modelledWrite(random),
        against: `the wire at ${BAUD} baud`,
        other: wireMs(random.length),
        unit: 'modelled ms',
      }),
      figure(`wire, deflates to ${(packed / length).toFixed(2)}`, {
        ours: await modelledWrite(firmware),
        against: 'the wire, deflated bytes',
        other: wireMs(packed),
        unit: 'modelled ms',
      }),
    ];
  },
};
