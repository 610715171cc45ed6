/** Two hosts on virtual boards of the same make: ours, and Espressif's esptool-js 0.7.0. */
import { type Clock, systemClock } from '#clock.ts';
import { Bootloader } from '#device/bootloader.ts';
import { toHex } from '#formats/bytes.ts';
import { VirtualBench } from '#sim/virtual-bench.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { ESPLoader, Transport } from 'esptool-js';
import { noise } from '../device/support/bench.ts';

/** Time of a board, that can run faster than its host's. */
class BoardClock implements Clock {
  speed = 1;

  now(): number {
    return systemClock.now();
  }

  after(ms: number, callback: () => void): () => void {
    return systemClock.after(ms / this.speed, callback);
  }

  outside<T>(work: Promise<T>): Promise<T> {
    return work;
  }
}

/** What flash takes to erase and program costs no CPU, and would only make the run longer. */
const FLASH_SPEED = 200;

export const MIB = 0x10_0000;

/** A board whose line takes no time, and that runs nothing when it is not in its loader. */
function makeBoard(): { board: VirtualEsp32; ports: VirtualBench; clock: BoardClock } {
  const clock = new BoardClock();
  const startFirmware = () => ({ receive: () => undefined, stop: () => undefined });
  const board = new VirtualEsp32({ chip: 'esp32', clock, instantLine: true, startFirmware });
  return { board, ports: new VirtualBench(board), clock };
}

/** One host, connected. */
export interface Host {
  board: VirtualEsp32;
  /** From offset 0 on, verified by MD5. */
  write: (data: Uint8Array) => Promise<void>;
  read: (length: number) => Promise<Uint8Array>;
  close: () => Promise<void>;
}

export async function connectOurs(): Promise<Host> {
  const { board, ports, clock } = makeBoard();
  const loader = await Bootloader.connect(ports.portOf(board)!, { clock: systemClock, ports });
  clock.speed = FLASH_SPEED;
  return {
    board,
    write: (data) => loader.write(0, data),
    read: (length) => loader.read(0, length),
    close: () => loader.close(),
  };
}

export async function connectPeer(): Promise<Host> {
  const { board, ports, clock } = makeBoard();
  const terminal = { clean: () => undefined, write: () => undefined, writeLine: () => undefined };
  const transport = new Transport(ports.portOf(board) as unknown as SerialPort);
  transport.trace = () => undefined;
  const loader = new ESPLoader({ transport, baudrate: 921_600, terminal });
  await loader.main();
  clock.speed = FLASH_SPEED;
  return {
    board,
    write: (data) =>
      loader.writeFlash({
        fileArray: [{ data, address: 0 }],
        flashMode: 'keep',
        flashFreq: 'keep',
        flashSize: 'keep',
        eraseAll: false,
        compress: true,
        calculateMD5Hash: (image) => toHex(md5(image)),
      }),
    read: (length) => loader.readFlash(0, length),
    close: () => transport.disconnect(),
  };
}

/** Stretches of 16 KiB that do not compress, in turns with such as nearly vanish. */
export function halfCompressible(length: number): Uint8Array<ArrayBuffer> {
  const bytes = noise(length);
  for (let at = 0; at < length; at += 0x8000) {
    for (let index = at; index < Math.min(at + 0x4000, length); index++) bytes[index] = (index >> 3) & 0x3f;
  }
  return bytes;
}

/** Bytes that deflate to about 0.66 of their length, as MicroPython's image does: noise with gaps of one value. */
export function likeFirmware(length: number): Uint8Array<ArrayBuffer> {
  const bytes = noise(length);
  for (let at = 62; at < length; at += 96) bytes.fill(0, at, at + 34);
  return bytes;
}
