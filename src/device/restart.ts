/** From the loader back into the app, with the console listening before the first byte. */
import { BoardConsole } from './console.ts';
import { isDeviceError } from './device-error.ts';
import { type BoardIdentity } from './identify.ts';
import { ROM_BAUD } from './link.ts';
import { isNativeUsb, isUsbOtg, restartSequence, runResetSequence } from './reset.ts';
import { COME_BACK_MS } from './loader-entry.ts';
import { type Session } from './session.ts';

/**
 * Registers of the watchdog that restarts a chip whose USB (OTG) has no reset line, and of the flag that would send it
 * into download mode again; esptool `targets/esp32s{2,3}.py`.
 */
const WATCHDOGS = {
  esp32s2: { config0: 0x3f40_8094, config1: 0x3f40_8098, protect: 0x3f40_80ac, option: 0x3f40_8128 },
  esp32s3: { config0: 0x6000_8098, config1: 0x6000_809c, protect: 0x6000_80b0, option: 0x6000_812c },
} as const;
const FORCE_DOWNLOAD = 1;
const WATCHDOG_KEY = 0x50d8_3aa1;
/** Ticks of the slow clock until it bites: some ten milliseconds. */
const WATCHDOG_TICKS = 2000;
/** On; first stage resets the system; reset pulses of the longest kind (bits 31, 28–30, 8–10, 0–1 as esptool sets them). */
const WATCHDOG_ON = 0xd000_0102;

/** Restarts the board and hands over the port. */
export async function restartBoard(
  session: Session,
  { identity, baud = ROM_BAUD }: { identity: BoardIdentity; baud?: number | undefined },
): Promise<BoardConsole> {
  const { link, holder, clock, commands, usb } = session;
  const loaderBaud = link.baudrate;
  if (!isNativeUsb(usb) && link.baudrate !== baud) await session.reopen(baud);
  holder.expectDeparture();
  const stillInLoader = (): Promise<boolean> => session.answersAt(loaderBaud);
  const console = new BoardConsole(link, holder, { clock, followMs: COME_BACK_MS, stillInLoader });
  try {
    const watchdog =
      isUsbOtg(usb) && identity.chip.name in WATCHDOGS
        ? WATCHDOGS[identity.chip.name as keyof typeof WATCHDOGS]
        : undefined;
    if (watchdog && !identity.security.secureDownload) {
      const write = (address: number, value: number): Promise<void> =>
        commands.through((loader) => loader.writeReg(address, value));
      await commands.through((loader) => loader.writeReg(watchdog.option, 0, FORCE_DOWNLOAD));
      await write(watchdog.protect, WATCHDOG_KEY);
      await write(watchdog.config1, WATCHDOG_TICKS);
      await write(watchdog.config0, WATCHDOG_ON);
    } else {
      await runResetSequence(
        restartSequence(usb),
        (dtr, rts) => link.setSignals(dtr, rts),
        (ms) => link.pause(ms),
      );
    }
  } catch (error) {
    // A native-USB board leaves in the middle of its reset; the console goes after it.
    if (!holder.canFollow || !isDeviceError(error, 'port-lost', 'no-reply', 'port-closed')) throw error;
  }
  return console;
}
