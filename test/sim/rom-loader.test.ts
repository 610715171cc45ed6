/** Rules of the ROM loader that no transcript shows: secure download mode, the ESP32-S3, the order of things. */
import { readU32 } from '#formats/bytes.ts';
import { simChip } from '#sim/board/sim-chips.ts';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { LoaderBench, statusOf, SYNC, wordBytes } from './support/loader-bench.ts';
import { dataRequest, request, wordRequest } from './support/stub-images.ts';

const MB4 = 0x40_0000;
const setParams = wordRequest(0x0b, 0, MB4, 0x1_0000, 0x1000, 0x100, 0xffff);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('secure download mode', () => {
  const bench = async (): Promise<LoaderBench> =>
    new LoaderBench({ chip: 'esp32c3', efuses: { secureDownload: true } }).start();

  test.each([
    { what: 'READ_REG', frame: wordRequest(0x0a, 0x4000_1000) },
    { what: 'MEM_BEGIN', frame: wordRequest(0x05, 16, 1, 16, 0x4038_0000) },
    { what: 'the MD5 of flash', frame: wordRequest(0x13, 0, 16, 0, 0) },
    { what: 'a compressed BEGIN', frame: wordRequest(0x10, 0x1000, 1, 0x400, 0, 0) },
    { what: 'READ_FLASH_SLOW', frame: wordRequest(0x0e, 0, 16) },
  ])('refuses $what with the opcode of the command before', async ({ frame }) => {
    const loader = await bench();
    await loader.ask(wordRequest(0x0d, 0, 0));
    const [answer] = await loader.ask(frame);
    expect(answer?.op).toBe(0x0d);
    expect(statusOf(answer)).toEqual([1, 5]);
  });

  test('writes flash and tells of itself', async () => {
    const loader = await bench();
    const [info] = await loader.ask(request(0x14, new Uint8Array(0)));
    expect(info?.op).toBe(0x14);
    expect(readU32(info!.body, 0)).toBe(4);
    await loader.ask(setParams);
    await loader.ask(wordRequest(0x02, 0x1000, 1, 0x400, 0x10_0000, 0));
    const [data] = await loader.ask(dataRequest(0x03, 0, new Uint8Array(0x400).fill(3)));
    expect(statusOf(data)).toEqual([0, 0]);
    expect(loader.board.flash.bytes[0x10_03ff]).toBe(3);
  });
});

test('download mode that is burnt away answers nothing', async () => {
  const loader = await new LoaderBench({ chip: 'esp32s3', efuses: { downloadDisabled: true } }).start();
  expect(await loader.ask(SYNC)).toEqual([]);
});

test.each(['esp32c3', 'esp32s3'])('a %s with secure boot does not jump to what was loaded into RAM', async (chip) => {
  const loader = await new LoaderBench({ chip, efuses: { secureBoot: true } }).start('esptool-js');
  const [answer] = await loader.ask(wordRequest(0x0a, 0x4000_1000));
  expect(answer?.body.length).toBe(4);
});

test('the ESP32-S3 calls its reading function by a pointer, secure boot or not, and sets that anew at a reset', async () => {
  const { readPointer, stub } = simChip('esp32s3');
  const poke = request(0x09, wordBytes(readPointer!, stub.entry, 0xffff_ffff, 0));
  const loader = await new LoaderBench({ chip: 'esp32s3', efuses: { secureBoot: true } }).start('esptool-js');
  await loader.ask(poke);
  await loader.ask(wordRequest(0x0e, 0, 0));
  // Two bytes of status: the stub answers.
  expect((await loader.ask(wordRequest(0x0a, 0x4000_1000)))[0]?.body.length).toBe(2);
  loader.board.pressReset();
  await loader.clock.advance(100);
  await loader.ask(SYNC);
  expect((await loader.ask(wordRequest(0x0e, 0, 64)))[0]?.body.length).toBe(68);
});

test('code that crashes leaves nobody who answers', async () => {
  const loader = await new LoaderBench({ crashesUploads: true }).start('esptool-js');
  expect(await loader.ask(SYNC)).toEqual([]);
});

test('the ESP32-S3 takes 20 bytes of BEGIN and tells its chip id', async () => {
  const loader = await new LoaderBench({ chip: 'esp32s3' }).start();
  const [info] = await loader.ask(request(0x14, new Uint8Array(0)));
  expect(readU32(info!.body, 12)).toBe(9);
  expect(statusOf((await loader.ask(wordRequest(0x02, 0x400, 1, 0x400, 0)))[0])).toEqual([1, 5]);
  expect(statusOf((await loader.ask(wordRequest(0x02, 0x400, 1, 0x400, 0, 0)))[0])[0]).toBe(0);
  // Registers of the ESP32 that hosts read here as well are harmless.
  expect((await loader.ask(wordRequest(0x0a, 0x3ff5_a00c)))[0]?.value).toBe(0);
});

test('the ESP32 writes nothing when its 32 KB window does not fit before the end of the chip, and says all is well', async () => {
  const loader = await new LoaderBench().start();
  await loader.ask(setParams);
  const stream = deflateSync(new Uint8Array(2048).fill(5));
  await loader.ask(wordRequest(0x10, 2048, 1, 0x400, MB4 - 0x7000));
  expect(statusOf((await loader.ask(dataRequest(0x11, 0, stream)))[0])).toEqual([0, 0]);
  expect(loader.board.flash.isBlank(MB4 - 0x8000, 0x8000)).toBe(true);
  await loader.ask(wordRequest(0x10, 2048, 1, 0x400, MB4 - 0x8000));
  await loader.ask(dataRequest(0x11, 0, stream));
  expect(loader.board.flash.bytes[MB4 - 0x8000]).toBe(5);
  expect(loader.board.flash.bytes[MB4 - 1]).toBe(0);
});

test('a slow read gives 64 bytes and refuses more', async () => {
  const loader = await new LoaderBench().start();
  loader.board.flash.program(0x100, Uint8Array.of(1, 2, 3, 4));
  const [answer] = await loader.ask(wordRequest(0x0e, 0x100, 4));
  expect(answer?.body.length).toBe(68);
  expect([...answer!.body.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
  expect(statusOf((await loader.ask(wordRequest(0x0e, 0, 65)))[0], 64)).toEqual([1, 0x0a]);
  expect(statusOf((await loader.ask(wordRequest(0x0e, MB4, 16)))[0], 64)).toEqual([1, 9]);
});

test('a failed MD5 comes with the digits of the one before', async () => {
  const loader = await new LoaderBench().start();
  const [good] = await loader.ask(wordRequest(0x13, 0, 0, 0, 0));
  expect(text(good!.body.subarray(0, 32))).toBe('d41d8cd98f00b204e9800998ecf8427e');
  const [bad] = await loader.ask(wordRequest(0x13, 0, MB4, 0, 0));
  expect(text(bad!.body.subarray(0, 32))).toBe('d41d8cd98f00b204e9800998ecf8427e');
  expect(statusOf(bad, 32)).toEqual([1, 9]);
});

test('an erase takes its time before the answer', async () => {
  const loader = await new LoaderBench().start();
  loader.board.hostWrites(Uint8Array.of(0xc0, ...wordRequest(0x02, 0x1_0000, 1, 0x400, 0), 0xc0));
  await loader.clock.advance(100);
  expect(loader.take().length).toBe(0);
  await loader.clock.advance(60);
  expect(loader.take().length).toBeGreaterThan(0);
});

test('code that nobody loaded hangs the chip', async () => {
  const loader = await new LoaderBench().start();
  await loader.ask(wordRequest(0x06, 0, 0x400a_0000));
  expect(await loader.ask(SYNC)).toEqual([]);
});

test('the flash id comes through the SPI registers', async () => {
  const loader = await new LoaderBench({ flashSize: 0x100_0000 }).start();
  const { base, user2, data0 } = simChip('esp32').spi;
  const poke = (offset: number, value: number): Uint8Array =>
    request(0x09, wordBytes(base + offset, value, 0xffff_ffff, 0));
  await loader.ask(poke(user2, 0x7000_009f));
  await loader.ask(poke(0, 1 << 18));
  expect((await loader.ask(wordRequest(0x0a, base)))[0]?.value).toBe(0);
  expect((await loader.ask(wordRequest(0x0a, base + data0)))[0]?.value).toBe(0x18_40c8);
});
