/** Other rates at the loader in ROM, which does not know its clock as well as a stub does. */
import { type ChipName } from '#formats/chips.ts';
import { type LoaderCommands } from './loader-commands.ts';

/** The ROM takes each byte by an interrupt, at the speed of the crystal: above this nobody has seen it keep up. */
export const ROM_TOP_BAUD = 921_600;

/** Chips whose ROM reckons with another crystal than many of their boards have (esptool `targets/*.py`, `change_baud`). */
const WRONG_CLOCK: ReadonlySet<ChipName> = new Set<ChipName>(['esp32c2', 'esp32c5']);

export const romChangesBaud = (chip: ChipName): boolean => !WRONG_CLOCK.has(chip);

/** From these the ESP32's ROM finds out how fast its crystal is: a count of its RTC clock, and eFuse word 4 (its 8 MHz clock). */
const RTC_CALIBRATION = 0x3ff5_f06c;
const EFUSE_CLOCK = 0x3ff5_a010;
/** Crystals that an ESP32 may have, and the border between them. */
const CRYSTALS = { slow: 26e6, fast: 40e6, border: 33e6 };
/** Share by which the ROM may be wrong; beyond that the registers do not mean what they should. */
const MOST_WRONG = 0.2;

/**
 * What to ask an ESP32's ROM for so that it gets to a rate: it measures its crystal badly, and its mistake is known (esptool
 * `targets/esp32.py`).
 */
export async function baudForEsp32Rom(commands: Pick<LoaderCommands, 'readRegister'>, baud: number): Promise<number> {
  const count = ((await commands.readRegister(RTC_CALIBRATION)) >>> 7) & 0x01ff_ffff;
  const clock = (await commands.readRegister(EFUSE_CLOCK)) & 0xff;
  const measured = (count * 15_625 * clock) / 40;
  const crystal = measured > CRYSTALS.border ? CRYSTALS.fast : CRYSTALS.slow;
  return Math.abs(measured / crystal - 1) > MOST_WRONG ? baud : Math.floor((baud * measured) / crystal);
}
