/**
 * From the loader in ROM to the stub of esptool-js: uploaded into RAM and jumped to. What esptool-js answers with a text only, and times
 * by the machine's clock, is done here.
 */
import { getStubJsonByChipName } from 'esptool-js';
import { type Clock } from '#clock.ts';
import { concatBytes, equalBytes } from '#formats/bytes.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type BoardIdentity, type FoundChip, readTwice } from './identify.ts';
import { blockChecksum, COMMAND_MS, type LoaderCommands, Op, words } from './loader-commands.ts';

/** What the stub says when it runs: OHAI. */
const GREETING = Uint8Array.of(0x4f, 0x48, 0x41, 0x49);

/**
 * With secure boot the ROM of the ESP32-S3 does not jump to what was loaded. It does call its own function that reads flash by this
 * pointer (esptool `loader.py`, `run_stub`).
 */
const S3_READ_POINTER = 0x3fce_f688;

/**
 * @throws {DeviceError} `stub-failed` when it does not greet, or there is none for the chip; and as `LoaderCommands.command`.
 */
export async function startStub(
  commands: LoaderCommands,
  clock: Clock,
  { found, identity }: { found: FoundChip; identity: BoardIdentity },
): Promise<void> {
  const { rom } = found;
  // Only the ESP32-P4 has two stubs; the others would read registers of another chip here.
  const revision =
    found.chip.name === 'esp32p4' ? await commands.through(async (loader) => rom.getChipRevision?.(loader)) : undefined;
  const stub = await clock.outside(getStubJsonByChipName(rom.CHIP_NAME, revision));
  if (!stub) throw new DeviceError('stub-failed', `There is no stub for ${rom.CHIP_NAME}`);
  await uploadToRam(commands, stub.decodedText, stub.text_start);
  await uploadToRam(commands, stub.decodedData, stub.data_start);
  if (found.chip.name === 'esp32s3' && identity.security.secureBoot !== 'off') {
    await enterByReading(commands, stub.entry);
  } else {
    await commands.command(Op.MemEnd, words(0, stub.entry));
    await expectGreeting(commands);
  }
}

async function uploadToRam(commands: LoaderCommands, data: Uint8Array, address: number): Promise<void> {
  const size = commands.loader.ESP_RAM_BLOCK;
  const blocks = Math.ceil(data.length / size);
  await commands.command(Op.MemBegin, words(data.length, blocks, size, address));
  for (let index = 0; index < blocks; index++) {
    const block = data.subarray(index * size, (index + 1) * size);
    const lineMs = (block.length * 11_000) / commands.link.baudrate;
    await commands.command(Op.MemData, concatBytes(words(block.length, index, 0, 0), block), {
      checksum: blockChecksum(block),
      timeoutMs: COMMAND_MS + 2 * lineMs,
    });
  }
}

/** The pointer is put back as soon as the stub runs, which uses it as well. */
async function enterByReading(commands: LoaderCommands, entry: number): Promise<void> {
  await commands.command(Op.MemEnd, words(1, 0));
  const usual = await readTwice(() => commands.readRegister(S3_READ_POINTER));
  await commands.through((loader) => loader.writeReg(S3_READ_POINTER, entry));
  // Never answered: the stub runs in its place.
  await commands.through((loader) => loader.command(Op.ReadFlashSlow, words(0, 0), 0, false));
  await expectGreeting(commands);
  await commands.through((loader) => loader.writeReg(S3_READ_POINTER, usual));
}

async function expectGreeting(commands: LoaderCommands): Promise<void> {
  let greeting: Uint8Array;
  try {
    greeting = await commands.link.read(COMMAND_MS);
  } catch (error) {
    if (!isDeviceError(error, 'no-reply')) throw error;
    throw new DeviceError('stub-failed', 'The stub did not start', { cause: error });
  }
  if (!equalBytes(greeting, GREETING)) throw new DeviceError('stub-failed', 'The stub did not start');
  commands.setStub(true);
}
