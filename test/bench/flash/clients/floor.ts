/** No client at all: the bytes of a transfer over the same channel, to a board that runs `FloorProgram`. */
import { type Exchange, EXCHANGES } from '../floor-program.ts';
import { makeImage } from '../images.ts';
import { type Client } from './client.ts';

export const client: Client = {
  async connect(port, { baud }) {
    await port.open({ baudRate: baud });
    const writer = port.writable!.getWriter();
    const reader = port.readable!.getReader();
    const exchange = async ({ take, give, data }: Exchange, length: number): Promise<void> => {
      const block = new Uint8Array(take);
      for (let done = 0; done < length; done += data) {
        await writer.write(block);
        for (let received = 0; received < give;) received += (await reader.read()).value?.length ?? give;
      }
    };
    return {
      write: (data) => exchange(EXCHANGES.write, data.length),
      async read(length) {
        await exchange(EXCHANGES.read, length);
        // What a reader would have got.
        return makeImage({ kind: 'noise', length });
      },
      update: () => Promise.reject(new Error('Not without a loader')),
      provision: () => Promise.reject(new Error('Not without a loader')),
      async close() {
        writer.releaseLock();
        await reader.cancel();
        reader.releaseLock();
        await port.close();
      },
    };
  },

  compress: () => undefined,
};
