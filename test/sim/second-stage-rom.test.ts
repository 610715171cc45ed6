import { describe, expect, test } from 'vitest';
import { hexAddress, readU32 } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { bootLoaderTraits } from '#sim/boot/boot-loader-traits.ts';
import { type Program } from '#sim/machine.ts';
import { BootBench } from './support/boot-bench.ts';
import { appFor, bootLoaderFor, flashWith, MB, tableOf } from './support/boot-flash.ts';
import { bootLoaderStart } from './support/stand-in-images.ts';

const silentApp = (): Program => ({ receive: () => undefined, stop: () => undefined });

describe('what a boot loader is', () => {
  const traitsOf = (texts: string) => {
    const image = bootLoaderFor('esp32', { start: bootLoaderStart({ texts }) });
    return bootLoaderTraits(image, flashWith({ bootLoader: image }), 0x1000);
  };

  test.each([
    { texts: '', logLevel: 'info' },
    { texts: 'load partition table error!', logLevel: 'error' },
    { texts: 'load partition table error! Falling back to test app', logLevel: 'warning' },
    {
      texts: 'load partition table error! Falling back to test app, ESP-IDF %s 2nd stage bootloader',
      logLevel: 'info',
    },
  ] as const)('with the texts "$texts" it logs at level $logLevel', ({ texts, logLevel }) => {
    expect(traitsOf(texts)).toEqual({ logLevel, rollback: false, tableOffset: 0x8000 });
  });

  test('one that reaches beyond 0x8000 looks for the table behind itself', async () => {
    const bootLoader = bootLoaderFor('esp32', { length: 0x8000 });
    const flash = flashWith({
      bootLoader,
      tableOffset: 0xa000,
      partitions: tableOf().slice(2),
      content: { ota_0: appFor('esp32') },
    });
    const bench = await new BootBench({ flash, startApp: silentApp }).run(2000);
    expect(bench.program!.startedApp).toMatchObject({ tableOffset: 0xa000, target: 0 });
  });

  test('settings win over what the image tells', async () => {
    const flash = flashWith({ content: { otadata: encodeOtadata({ sequence: 2, state: 0 }), ota_1: appFor('esp32') } });
    const bench = await new BootBench({
      flash,
      startApp: silentApp,
      traits: { rollback: true, logLevel: 'error' },
    }).run(2000);
    expect(bench.lines.filter((line) => line.startsWith('I '))).toEqual([]);
    expect(flash[0xd000 + 24]).toBe(1);
  });
});

describe('the ROM and the boot loader', () => {
  test.each([
    { chip: 'esp32', words: 'rst:0x10 (RTCWDT_RTC_RESET)' },
    { chip: 'esp32s3', words: 'rst:0x' },
    { chip: 'esp32c3', words: 'rst:0x' },
  ])('a blank $chip complains and is reset by its watchdog, again and again', async ({ chip, words }) => {
    const bench = await new BootBench({ chip, flash: new Uint8Array(MB).fill(0xff) }).run(2000);
    expect(bench.lines.filter((line) => line === 'invalid header: 0xffffffff').length).toBeGreaterThan(10);
    expect(bench.output).toContain(words);
    expect(bench.resets.map(({ reason }) => reason)).toEqual(bench.resets.map(() => 'watchdog'));
    expect(bench.resets.length).toBeGreaterThanOrEqual(3);
    expect(bench.resets.length).toBeLessThanOrEqual(6);
  });

  test('a boot loader at 0 of an ESP32 is not seen: the ROM shows the word at 0x1000', async () => {
    const flash = new Uint8Array(MB).fill(0xff);
    flash.set(bootLoaderFor('esp32', { length: 0x2000 }));
    const { lines } = await new BootBench({ flash }).run(100);
    expect(lines).toContain(`invalid header: ${hexAddress(readU32(flash, 0x1000))}`);
  });

  test.each(['esp32s3', 'esp32c3'])('%s names a boot loader for another chip', async (chip) => {
    const flash = flashWith({ chip, bootLoader: bootLoaderFor('esp32') });
    const bench = await new BootBench({ chip, flash }).run(1000);
    const { imageChipId } = chipByName(chip)!;
    expect(bench.lines).toContain(`Invalid chip id. Expected ${imageChipId} read 0. Bootloader for wrong chip?`);
    expect(bench.resets.length).toBeGreaterThan(1);
  });

  test.each(['esp32s3', 'esp32c3'])('%s tells a wrong digest of the boot loader and boots anyway', async (chip) => {
    const bootLoader = bootLoaderFor(chip);
    bootLoader[3]! ^= 0x10;
    const flash = flashWith({ chip, bootLoader, content: { ota_0: appFor(chip) } });
    const bench = await new BootBench({ chip, flash, startApp: silentApp }).run(2000);
    expect(bench.lines).toContain('SHA-256 comparison failed:');
    expect(bench.lines).toContain('Attempting to boot anyway...');
    expect(bench.program!.app).toBeDefined();
  });

  test('an ESP32 does not look at that digest', async () => {
    const bootLoader = bootLoaderFor('esp32');
    bootLoader[bootLoader.length - 1]! ^= 1;
    const bench = await new BootBench({
      flash: flashWith({ bootLoader, content: { ota_0: appFor('esp32') } }),
      startApp: silentApp,
    }).run(2000);
    expect(bench.program!.app).toBeDefined();
  });

  test.each(['esp32s3', 'esp32c3'])('%s restarts after a wrong checksum of the boot loader', async (chip) => {
    const bootLoader = bootLoaderFor(chip);
    bootLoader[100]! ^= 0xff;
    const bench = await new BootBench({ chip, flash: flashWith({ chip, bootLoader }) }).run(1000);
    expect(bench.output).toMatch(/csum err:0x[0-9a-f]+!=0x[0-9a-f]+\r\nets_main\.c/);
    expect(bench.resets.length).toBeGreaterThan(1);
  });

  test('an app at the place of the boot loader starts nothing', async () => {
    for (const chip of ['esp32', 'esp32s3', 'esp32c3']) {
      const bench = await new BootBench({ chip, flash: flashWith({ chip, bootLoader: appFor(chip) }) }).run(1000);
      expect(bench.program!.app).toBeUndefined();
      expect(bench.resets[0]).toMatchObject({ reason: 'watchdog' });
    }
  });

  test('the BASIC prompt of an ESP32 repeats what is typed and stays', async () => {
    const bootLoader = bootLoaderFor('esp32');
    bootLoader[100]! ^= 0xff;
    const bench = await new BootBench({ flash: flashWith({ bootLoader }) }).run(1000);
    expect(bench.output.endsWith('OK\r\n>')).toBe(true);
    bench.program!.receive(new TextEncoder().encode('10 PRINT\r'));
    expect(bench.output).toMatch(/>10 PRINT\r\n[^]*>$/);
    expect(bench.resets).toEqual([]);
  });

  test('with flash encryption a plain boot loader is rubbish', async () => {
    const flash = flashWith({ content: { ota_0: appFor('esp32') } });
    const bench = await new BootBench({ flash, efuses: { flashEncryption: 'development' } }).run(500);
    expect(bench.lines.some((line) => /^invalid header: 0x(?!ffffffff)/.test(line))).toBe(true);
    expect(bench.program!.app).toBeUndefined();
  });
});
