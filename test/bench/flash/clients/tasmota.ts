/**
 * tasmota-webserial-esptool, as its page uses it: `initialize`, `runStub`, `setBaudrate`, `flashData`, `readFlash`. It does not
 * verify what it writes; so that it does the same job, its stub is asked for the MD5.
 */
import { toHex, writeU32 } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type Part } from '../jobs.ts';
import { type Client } from './client.ts';
import { deflateOf } from './pako.ts';
import { loadTasmota, silent } from '../../../support/tasmota.ts';

const MD5_OP = 0x13;
const MD5_MS_PER_BYTE = 0.008;
/** Rate that every session starts with, and that it opens its port at. */
const ROM_BAUD = 115_200;

const deflate = deflateOf('tasmota-webserial-esptool');

export const client: Client = {
  async connect(port, { baud, usb }) {
    const { ESPLoader } = await loadTasmota();
    await port.open({ baudRate: ROM_BAUD });
    const loader = new ESPLoader(port as unknown as SerialPort, silent);
    await loader.initialize();
    const stub = await loader.runStub();
    if (!usb && baud !== ROM_BAUD) await stub.setBaudrate(baud);
    const write = async ({ offset, data }: Part): Promise<void> => {
      await stub.flashData(data.slice().buffer, () => undefined, offset, true);
      const request = new Uint8Array(16);
      writeU32(request, 0, offset);
      writeU32(request, 4, data.length);
      const [, digest] = await stub.checkCommand(MD5_OP, [...request], 0, 3000 + MD5_MS_PER_BYTE * data.length);
      if (toHex(Uint8Array.from(digest)) !== toHex(md5(data))) throw new Error('Not what was written');
    };
    return {
      write: (data) => write({ offset: 0, data }),
      update: write,
      read: (length) => stub.readFlash(0, length),
      async provision({ parts }) {
        for (const part of parts) await write(part);
      },
      async close() {
        await stub.disconnect();
        await port.close();
      },
    };
  },

  compress: (data) => deflate(data, { level: 9 }),
};
