/** esptool-js 0.7.0, used as its published example does: `main()`, `writeFlash` with an MD5, `readFlash`. */
import { toHex } from '#formats/bytes.ts';
import { type Port } from '#device/port.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { ESPLoader, Transport } from 'esptool-js';
import { type Part } from '../jobs.ts';
import { type Client } from './client.ts';
import { deflateOf } from './pako.ts';

const deflate = deflateOf('esptool-js');
const terminal = { clean: () => undefined, write: () => undefined, writeLine: () => undefined };

export const client: Client = {
  async connect(port: Port, { baud }) {
    const transport = new Transport(port as unknown as SerialPort);
    // Some paths write to the console whatever the setting.
    transport.trace = () => undefined;
    const loader = new ESPLoader({ transport, baudrate: baud, terminal });
    await loader.main();
    const write = (parts: readonly Part[]): Promise<void> =>
      loader.writeFlash({
        fileArray: parts.map(({ offset, data }) => ({ data, address: offset })),
        flashMode: 'keep',
        flashFreq: 'keep',
        flashSize: 'keep',
        eraseAll: false,
        compress: true,
        calculateMD5Hash: (image) => toHex(md5(image)),
      });
    return {
      write: (data) => write([{ offset: 0, data }]),
      update: (part) => write([part]),
      read: (length) => loader.readFlash(0, length),
      provision: ({ parts }) => write(parts),
      close: () => transport.disconnect(),
    };
  },

  compress: (data) => deflate(data, { level: 9 }),
};
