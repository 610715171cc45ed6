/** Hosts that are not ours drive `twostep virtual` over TCP as they drive a board on a cable. */
import { toHex, writeU32 } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { ESPLoader, Transport } from 'esptool-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleData } from '../device/support/bench.ts';
import { loadTasmota, silent } from '../support/tasmota.ts';
import { startVirtual, type VirtualProcess } from './virtual-process.ts';

const BAUD = 921_600;
const OFFSET = 0x1_0000;
/** Three blocks, the last not full and no multiple of four. */
const DATA = sampleData(45_001);
const blankMd5 = (length: number): string => toHex(md5(new Uint8Array(length).fill(0xff)));

describe.each([
  { chip: 'esp32', name: 'ESP32', mac: '24:0a:c4:12:34:56' },
  { chip: 'esp32c3', name: 'ESP32-C3', mac: '60:55:f9:12:34:56' },
])('a virtual $name', ({ chip, name, mac }) => {
  let virtual: VirtualProcess;

  beforeEach(async () => {
    // Small, as a whole erase takes 2.5 s a megabyte.
    virtual = await startVirtual('--chip', chip, '--flash-size', '1MB');
  });

  afterEach(() => virtual.stop());

  test('is written, read, hashed and erased by esptool-js, as its example does it', async () => {
    const transport = new Transport(virtual.port as unknown as SerialPort);
    // Some paths of it write to the console whatever the setting.
    transport.trace = () => undefined;
    const terminal = { clean: () => undefined, write: () => undefined, writeLine: () => undefined };
    const loader = new ESPLoader({ transport, baudrate: BAUD, terminal });
    expect(await loader.main()).toContain(name);
    expect(await loader.chip.readMac(loader)).toBe(mac);
    expect(await loader.detectFlashSize()).toBe('1MB');

    const progress: number[] = [];
    await loader.writeFlash({
      fileArray: [{ data: DATA, address: OFFSET }],
      flashMode: 'keep',
      flashFreq: 'keep',
      flashSize: 'keep',
      eraseAll: false,
      compress: true,
      reportProgress: (_file, written) => progress.push(written),
      calculateMD5Hash: (image) => toHex(md5(image)),
    });
    expect(progress.length).toBeGreaterThan(2);
    expect(await loader.readFlash(OFFSET, DATA.length)).toEqual(Uint8Array.from(DATA));
    expect(await loader.flashMd5sum(OFFSET, DATA.length)).toBe(toHex(md5(DATA)));
    await loader.eraseFlash();
    expect(await loader.flashMd5sum(0, 0x10_0000)).toBe(blankMd5(0x10_0000));
    await transport.disconnect();
  });

  test('is written, read, hashed and erased by tasmota-webserial-esptool', async () => {
    const { ESPLoader: TasmotaLoader } = await loadTasmota();
    const { port } = virtual;
    await port.open({ baudRate: 115_200 });
    const loader = new TasmotaLoader(port as unknown as SerialPort, silent);
    await loader.initialize();
    expect(loader.chipName).toBe(name);
    expect(
      loader
        .macAddr()
        .map((byte: number) => byte.toString(16).padStart(2, '0'))
        .join(':'),
    ).toBe(mac);
    const stub = await loader.runStub();
    expect(stub.flashSize).toBe('1MB');
    await stub.setBaudrate(BAUD);
    const boardMd5 = async (offset: number, length: number): Promise<string> => {
      const range = new Uint8Array(16);
      writeU32(range, 0, offset);
      writeU32(range, 4, length);
      const [, digest] = await stub.checkCommand(0x13, [...range]);
      return toHex(Uint8Array.from(digest));
    };

    for (const compress of [true, false]) {
      const offset = compress ? OFFSET : 2 * OFFSET;
      await stub.flashData(DATA.slice().buffer, () => undefined, offset, compress);
      expect(await boardMd5(offset, DATA.length)).toBe(toHex(md5(DATA)));
      expect(await stub.readFlash(offset, DATA.length)).toEqual(Uint8Array.from(DATA));
    }
    await stub.eraseFlash();
    expect(await boardMd5(0, 0x10_0000)).toBe(blankMd5(0x10_0000));
    await stub.disconnect();
    await port.close();
  });
});
