/** Rules of both stubs that no transcript shows. */
import { concatBytes, readU32 } from '#formats/bytes.ts';
import { encodeSlip } from '#sim/loader/slip.ts';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeFrames } from './support/frames.ts';
import { LoaderBench, statusOf } from './support/loader-bench.ts';
import { dataRequest, request, stubSegments, wordRequest } from './support/stub-images.ts';

const CHIPS = ['esp32', 'esp32s3', 'esp32c3'];
const readMagic = wordRequest(0x0a, 0x4000_1000);
const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

describe.each(CHIPS)('the stub of esptool-js on the %s', (chip) => {
  test('is known by its bytes and takes 20 bytes of BEGIN', async () => {
    const stub = await new LoaderBench({ chip }).start('esptool-js');
    const [answer] = await stub.ask(wordRequest(0x02, 0x1000, 1, 0x4000, 0x1_0000, 0));
    expect([...answer!.body]).toEqual([0, 0]);
  });

  test('another image at the same place is the older stub', async () => {
    const stub = await new LoaderBench({ chip }).start('tasmota-webserial-esptool');
    const [answer] = await stub.ask(wordRequest(0x02, 0x1000, 1, 0x4000, 0x1_0000, 0));
    expect([...answer!.body]).toEqual([1, 0]);
  });
});

describe('the stub of esptool-js', () => {
  test('answers data before the work, and the next command gets its failure', async () => {
    const stub = await new LoaderBench({ flashSize: 0x10_0000 }).start('esptool-js');
    await stub.ask(wordRequest(0x02, 0x2000, 1, 0x4000, 0xf_f000));
    expect(statusOf((await stub.ask(dataRequest(0x03, 0, fill(0x2000, 1))))[0])).toEqual([0, 0]);
    expect(statusOf((await stub.ask(readMagic))[0])).toEqual([0xc4, 0]);
    expect((await stub.ask(readMagic))[0]?.value).toBe(0x00f0_1d83);
  });

  test('keeps one frame while it works and loses the next', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    const block = (sequence: number): Uint8Array => encodeSlip(dataRequest(0x03, sequence, fill(0x4000, sequence)));
    stub.board.flash.bytes.fill(0);
    await stub.ask(wordRequest(0x02, 0xc000, 3, 0x4000, 0x1000));
    const filler = new Uint8Array(256);
    const answers = await stub.write(block(0), filler, block(1), filler, block(2));
    expect(answers.length).toBe(2);
    expect(stub.board.flash.bytes[0x1000 + 0x7fff]).toBe(1);
    expect(stub.board.flash.bytes[0x1000 + 0x8000]).toBe(0);
  });

  test('does not look at sequence numbers: a repeated block is written behind the first', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    await stub.ask(wordRequest(0x02, 0x800, 2, 0x400, 0x1000));
    await stub.ask(dataRequest(0x03, 0, fill(0x400, 1)));
    await stub.ask(dataRequest(0x03, 0, fill(0x400, 1)));
    expect([...stub.board.flash.bytes.subarray(0x13fe, 0x1802)]).toEqual([...fill(0x402, 1), 0xff, 0xff]);
  });

  test('reports a stream that is cut off with the last announced block', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    const stream = deflateSync(Uint8Array.from({ length: 9000 }, (_, index) => (index * index) >> 3));
    await stub.ask(wordRequest(0x10, 9000, 1, 0x4000, 0x1000));
    await stub.ask(dataRequest(0x11, 0, stream.subarray(0, stream.length >> 1)));
    expect(statusOf((await stub.ask(readMagic))[0])).toEqual([0xc7, 0]);
  });

  test('drops a frame that is too long for its buffers', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    await stub.ask(wordRequest(0x02, 0x1_0000, 4, 0x4000, 0));
    expect((await stub.ask(dataRequest(0x03, 0, fill(16_448, 1)))).length).toBe(1);
    expect(await stub.ask(dataRequest(0x03, 0, fill(20_000, 1)))).toEqual([]);
  });

  test('ends a read beyond the chip in silence, and owes the failure', async () => {
    const stub = await new LoaderBench({ flashSize: 0x10_0000 }).start('esptool-js');
    await stub.ask(wordRequest(0xd2, 0xf_ff00, 0x200, 0x100, 1));
    await stub.write(encodeSlip(Uint8Array.of(0, 1, 0, 0)));
    expect(statusOf((await stub.ask(readMagic))[0])).toEqual([0xc4, 0]);
  });

  test('an early acknowledge of everything brings the MD5 right behind the data', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    await stub.ask(wordRequest(0xd2, 0, 0x200, 0x100, 1));
    stub.board.hostWrites(encodeSlip(Uint8Array.of(0, 2, 0, 0)));
    await stub.clock.advance(10);
    expect(decodeFrames(stub.take()).map((frame) => frame.length)).toEqual([0x100, 16]);
  });

  test('loads another stub that is started from it', async () => {
    const stub = await new LoaderBench().start('esptool-js');
    for (const segment of stubSegments('esp32', 'tasmota-webserial-esptool')) await stub.ask(segment);
    expect([...(await stub.ask(wordRequest(0x02, 0, 0, 0, 0, 0)))[0]!.body]).toEqual([1, 0]);
  });
});

describe('the older stub', () => {
  const start = async (): Promise<LoaderBench> => {
    const stub = await new LoaderBench({ flashSize: 0x10_0000 }).start('tasmota-webserial-esptool');
    stub.board.flash.bytes.fill(0x5a);
    return stub;
  };

  test('writes plain and compressed data and reports their MD5', async () => {
    const stub = await start();
    const data = Uint8Array.from({ length: 70_000 }, (_, index) => index * 31);
    const stream = deflateSync(data);
    await stub.ask(wordRequest(0x10, data.length, Math.ceil(stream.length / 0x4000), 0x4000, 0x1_0000));
    for (let at = 0; at < stream.length; at += 0x4000) {
      const [answer] = await stub.ask(dataRequest(0x11, at / 0x4000, stream.subarray(at, at + 0x4000)));
      expect(statusOf(answer)).toEqual([0, 0]);
    }
    expect([...stub.board.flash.bytes.subarray(0x1_0000, 0x1_0000 + data.length)]).toEqual([...data]);
    const [md5] = await stub.ask(wordRequest(0x13, 0x1_0000, data.length, 0, 0));
    expect(md5?.body.length).toBe(18);
    expect(statusOf((await stub.ask(wordRequest(0x12, 1)))[0])).toEqual([0, 0]);
  });

  test('tells a failed write with the next data block only', async () => {
    const stub = await start();
    await stub.ask(wordRequest(0x02, 0x3000, 3, 0x1000, 0xf_f000));
    await stub.ask(dataRequest(0x03, 0, fill(0x1000, 1)));
    expect(statusOf((await stub.ask(dataRequest(0x03, 1, fill(0x1000, 1))))[0])).toEqual([0, 0]);
    expect((await stub.ask(readMagic))[0]?.value).toBe(0x00f0_1d83);
    expect(statusOf((await stub.ask(dataRequest(0x03, 2, fill(0x1000, 1))))[0])).toEqual([0xc4, 0]);
  });

  test.each([
    {
      what: 'a wrong checksum',
      frame: request(0x03, concatBytes(Uint8Array.of(1, 0, 0, 0), fill(12, 0), fill(1, 7)), 1),
      code: 0xc1,
    },
    { what: 'a wrong length word', frame: request(0x03, fill(17, 0), 0xef), code: 0xc0 },
    { what: 'an unknown command', frame: request(0x55, new Uint8Array(0)), code: 0xff },
    { what: 'an erase that is not on a sector', frame: wordRequest(0xd1, 1, 0x1000), code: 0x01 },
    { what: 'the end while bytes are missing', frame: wordRequest(0x04, 1), code: 0xc8 },
    { what: 'blocks that are too large', frame: wordRequest(0x02, 0x1000, 1, 0x8000, 0), code: 0xc2 },
  ])('refuses $what', async ({ frame, code }) => {
    const stub = await start();
    await stub.ask(wordRequest(0x02, 0x1000, 1, 0x400, 0));
    expect(statusOf((await stub.ask(frame))[0])).toEqual([code, 0]);
  });

  test('refuses data before BEGIN', async () => {
    expect(statusOf((await (await start()).ask(dataRequest(0x03, 0, fill(4, 1))))[0])).toEqual([0xc6, 0]);
  });

  test('sends as many frames ahead as the host allows', async () => {
    const stub = await start();
    stub.board.hostWrites(encodeSlip(wordRequest(0xd2, 0, 0x500, 0x100, 3)));
    await stub.clock.advance(10);
    const frames = decodeFrames(stub.take());
    expect(frames.map((frame) => frame.length)).toEqual([10, 0x100, 0x100, 0x100]);
    stub.board.hostWrites(encodeSlip(Uint8Array.of(0, 3, 0, 0)));
    await stub.clock.advance(10);
    expect(decodeFrames(stub.take()).length).toBe(2);
    stub.board.hostWrites(encodeSlip(Uint8Array.of(0, 5, 0, 0)));
    await stub.clock.advance(10);
    expect(decodeFrames(stub.take()).map((frame) => frame.length)).toEqual([16]);
  });

  test('restarts the chip at the end of a transfer when told so', async () => {
    const stub = await start();
    await stub.ask(wordRequest(0x02, 0, 0, 0x400, 0));
    stub.board.hostWrites(encodeSlip(wordRequest(0x04, 0)));
    await stub.clock.advance(100);
    expect(new TextDecoder().decode(stub.take())).toContain('rst:0x3 (SW_RESET)');
  });

  test('has GET_SECURITY_INFO where the chip has it', async () => {
    const stub = await new LoaderBench({ chip: 'esp32s3' }).start('tasmota-webserial-esptool');
    const [info] = await stub.ask(request(0x14, new Uint8Array(0)));
    expect(readU32(info!.body, 12)).toBe(9);
    expect(statusOf((await (await start()).ask(request(0x14, new Uint8Array(0))))[0])).toEqual([0xff, 0]);
  });
});
