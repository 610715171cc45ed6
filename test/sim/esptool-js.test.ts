/** Espressif's own host, esptool-js 0.7.0, works with the virtual boards as it does with real ones. */
import { systemClock } from '#clock.ts';
import { readU32, toHex } from '#formats/bytes.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { VirtualPort } from '#sim/virtual-port.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { ESPLoader, Transport } from 'esptool-js';
import { describe, expect, test, vi } from 'vitest';
import { decodeFrames } from './support/frames.ts';

const terminal = { clean: () => undefined, write: () => undefined, writeLine: () => undefined };

function makeLoader(options: Partial<VirtualEsp32Options> & { chip: string }, baudrate = 115_200) {
  const board = new VirtualEsp32({
    startFirmware: () => ({ receive: () => undefined, stop: () => undefined }),
    instantLine: true,
    ...options,
    clock: systemClock,
  });
  const sent: Uint8Array[] = [];
  const write = board.hostWrites.bind(board);
  vi.spyOn(board, 'hostWrites').mockImplementation((bytes) => {
    sent.push(bytes.slice());
    write(bytes);
  });
  const transport = new Transport(new VirtualPort(board) as unknown as SerialPort);
  transport.trace = () => undefined;
  const loader = new ESPLoader({ transport, baudrate, terminal });
  return { board, loader, transport, sent };
}

/** `r 3ff5a00c` and `w 3ff4202c 00000017` for each READ_REG and WRITE_REG that was sent. */
const registerLog = (sent: Uint8Array[]): string[] =>
  sent
    .flatMap((bytes) => decodeFrames(bytes))
    .flatMap((frame) => {
      const hex = (at: number): string => readU32(frame, at).toString(16).padStart(8, '0');
      if (frame[1] === 0x0a) return [`r ${hex(8)}`];
      return frame[1] === 0x09 ? [`w ${hex(8)} ${hex(12)}`] : [];
    });

/** Addresses as offsets from a base, for a log that is easy to compare. */
const reads = (base: number, ...offsets: number[]): string[] =>
  offsets.map((offset) => `r ${(base + offset).toString(16).padStart(8, '0')}`);

const REVISION = ['r 3ff5a00c', 'r 3ff5a014', 'r 3ff6607c'];

function flashIdLog(base: number, [user, user2, length, data]: [number, number, number, number]): string[] {
  const at = (offset: number): string => (base + offset).toString(16);
  return [
    `r ${at(user)}`,
    `r ${at(user2)}`,
    `w ${at(length)} 00000017`,
    `w ${at(user)} 90000000`,
    `w ${at(user2)} 7000009f`,
    `w ${at(data)} 00000000`,
    `w ${at(0)} 00040000`,
    `r ${at(0)}`,
    `r ${at(data)}`,
    `w ${at(user)} 00000000`,
    `w ${at(user2)} 00000000`,
  ];
}

/** The order of register accesses of main(), as measured against a logging port with all registers 0 that are not told. */
const MAIN_LOGS: Record<string, string[]> = {
  esp32: [
    'r 40001000',
    ...reads(0x3ff5_a000, 0x0c, 0x0c, 0x14),
    'r 3ff6607c',
    ...reads(0x3ff5_a000, 0x0c),
    ...REVISION,
    ...reads(0x3ff5_a000, 0x0c, 0x0c, 0x10, 0x18),
    'r 3ff40014',
    ...reads(0x3ff5_a000, 0x04, 0x08, 0x04, 0x08),
    ...REVISION,
    ...flashIdLog(0x3ff4_2000, [0x1c, 0x24, 0x2c, 0x80]),
  ],
  esp32s3: [
    ...reads(0x6000_7000, 0x58, 0x50, 0x58, 0x58, 0x50, 0x58, 0x50, 0x50),
    ...REVISION,
    ...reads(0x6000_7000, 0x50, 0x54, 0x54, 0x54),
    ...reads(0x6000_7000, 0x44, 0x48, 0x44, 0x48),
    ...REVISION,
    ...flashIdLog(0x6000_2000, [0x18, 0x20, 0x28, 0x58]),
  ],
  esp32c3: [
    ...reads(0x6000_8800, 0x50, 0x58, 0x58, 0x50, 0x50, 0x50, 0x54, 0x44, 0x48, 0x44, 0x48, 0x50),
    ...flashIdLog(0x6000_2000, [0x18, 0x20, 0x28, 0x58]),
  ],
};

describe.each([
  { chip: 'esp32', description: 'ESP32-D0WDQ6-V3 (revision 3)' },
  { chip: 'esp32s3', description: 'ESP32-S3 (QFN56) (revision v0.2)' },
  { chip: 'esp32c3', description: 'ESP32-C3 (QFN32) (revision v0.3)' },
])('$chip', ({ chip, description }) => {
  test('main() finds the chip and reads the registers that it reads from real ones', async () => {
    const { loader, transport, sent } = makeLoader({ chip });
    expect(await loader.main()).toBe(description);
    expect(registerLog(sent)).toEqual(MAIN_LOGS[chip]);
    expect(await loader.detectFlashSize()).toBe('4MB');
    await transport.disconnect();
  });

  test('writes, checks, reads back and erases', async () => {
    const { board, loader, transport } = makeLoader({ chip });
    board.flash.bytes.fill(0x5a);
    await loader.main();
    const data = Uint8Array.from({ length: 20_001 }, (_, index) => (index * 7) ^ (index >> 6));
    for (const compress of [true, false]) {
      const address = compress ? 0x1_0000 : 0x3_0000;
      await loader.writeFlash({
        fileArray: [{ data, address }],
        flashMode: 'keep',
        flashFreq: 'keep',
        flashSize: 'keep',
        eraseAll: false,
        compress,
        calculateMD5Hash: (image) => toHex(md5(image)),
      });
      expect(board.flash.bytes.subarray(address, address + data.length)).toEqual(data);
    }
    expect(await loader.readFlash(0x1_0100, 9000)).toEqual(data.slice(0x100, 0x100 + 9000));
    await transport.disconnect();
  });
});

test('secure download mode is recognised, and no stub is sent', async () => {
  const { loader, transport } = makeLoader({ chip: 'esp32c3', efuses: { secureDownload: true } });
  expect(await loader.main()).toBe('ESP32-C3');
  expect(loader.IS_STUB).toBe(false);
  await transport.disconnect();
});

test('goes over to a higher rate on a line that takes its time', async () => {
  const { loader, transport } = makeLoader({ chip: 'esp32c3', instantLine: false }, 921_600);
  await loader.main();
  expect(transport.baudrate).toBe(921_600);
  expect(await loader.flashMd5sum(0, 0x1000)).toBe(toHex(md5(new Uint8Array(0x1000).fill(0xff))));
  await transport.disconnect();
});
