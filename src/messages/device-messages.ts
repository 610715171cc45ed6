/** Texts for what goes wrong with a port or a board. */
import { type DeviceErrorCode } from '#device/device-error.ts';
import { type Message } from './message.ts';

const UNTOUCHED = 'Nothing on the board was changed.';
const HALF_WRITTEN = 'If a write was under way, the flash is half-written; running the same command again finishes it.';
const HOLD_BOOT = 'Hold BOOT, tap RESET (or plug the board in anew), keep BOOT held and try again.';

export const DEVICE_MESSAGES: Record<DeviceErrorCode, Message> = {
  'no-port-chosen': { what: 'No port was chosen.' },
  'port-in-use-or-missing': {
    what: 'The port did not open: another program or tab holds it, or the board is no longer plugged in.',
    state: UNTOUCHED,
    todo: 'Close serial monitors and other tabs that use this board, check the cable, and try again.',
  },
  'port-busy': {
    what: 'Another program holds the port.',
    state: UNTOUCHED,
    todo: 'Close the serial monitor, the IDE or the other tab that uses it, and try again.',
  },
  'port-missing': {
    what: 'There is no such port.',
    state: UNTOUCHED,
    todo: 'Check the name and the cable: some cables only carry power. A new USB bridge may need its driver (CP210x, CH340, FTDI).',
  },
  'port-no-permission': {
    what: 'You may not open this port.',
    state: UNTOUCHED,
    todo: 'On Linux join the group that owns it (dialout, on Arch uucp) and log in again; for a browser from snap or flatpak allow serial ports.',
  },
  'port-open-failed': {
    what: 'The port did not open.',
    state: UNTOUCHED,
    todo: 'Plug the board in anew and try again.',
  },
  'no-modem-lines': {
    what: 'The port opened, but its control lines (DTR, RTS) cannot be set, so the board cannot be reset from here.',
    state: UNTOUCHED,
    todo: 'Put the board into download mode by hand (hold BOOT, tap RESET) and use --before none; a newer driver may help.',
  },
  'port-lost': {
    what: 'The port went away: the cable was pulled, or the board lost power.',
    state: HALF_WRITTEN,
    todo: 'Plug the board in and run the same again.',
  },
  'port-closed': {
    what: 'The connection was closed while it was still in use.',
    state: HALF_WRITTEN,
    todo: 'Connect again.',
  },
  'port-stalled': {
    what: 'The port takes no more bytes.',
    state: HALF_WRITTEN,
    todo: 'Plug the board in anew and try again.',
  },
  'no-reply': {
    what: 'The board stopped answering.',
    state: HALF_WRITTEN,
    todo: 'Plug the board in anew and run the same again, with --baud 115200 if it happens again.',
  },
  'bad-reply': {
    what: 'The answers of the board are garbled: noise on the line.',
    state: HALF_WRITTEN,
    todo: 'Use a shorter cable or another socket, and try again with --baud 115200.',
  },
  'command-refused': {
    what: 'The board refused a command.',
    state: HALF_WRITTEN,
    todo: 'Reset the board and run the same again.',
  },
  'command-unknown': {
    what: 'The loader in this chip does not know a command that is needed.',
    state: UNTOUCHED,
    todo: 'Look at its security state with identify: in secure download mode most commands are off.',
  },
  'normal-boot': {
    what: 'The board started its own program instead of listening.',
    state: UNTOUCHED,
    todo: HOLD_BOOT,
  },
  'download-no-reply': {
    what: 'The board says that it waits for a download, but does not answer: it does not hear this computer.',
    state: UNTOUCHED,
    todo: 'Check the line from the adapter’s TX to the board’s RX, and that nothing else is connected to RX. A secured product may have its download mode switched off for good: then it can only be updated over the network.',
  },
  unreadable: {
    what: 'Something answers, but not an ESP32 that can be understood.',
    state: UNTOUCHED,
    todo: 'Check that this is the right port. Otherwise: ' + HOLD_BOOT,
  },
  silent: {
    what: 'Not one byte came from the board.',
    state: UNTOUCHED,
    todo:
      'Check power, the port and the cable (some only carry power; some boards have two USB sockets). Then: ' +
      HOLD_BOOT,
  },
  'connect-timeout': {
    what: 'The loader answered, but the connection did not come about in time.',
    state: UNTOUCHED,
    todo: 'Reset the board and try again, with --baud 115200 if it happens again.',
  },
  'unsupported-chip': {
    what: 'This chip is not known here.',
    state: UNTOUCHED,
    todo: 'See the README for the chips that are supported.',
  },
  'wrong-board': {
    what: 'Another board answers than the one that the job was begun with.',
    state: 'The other board was not touched.',
    todo: 'Plug the first board in again.',
  },
  'restart-failed': {
    what: 'Everything is written and verified, but the board did not restart: no reset line reaches it.',
    state: 'It waits in its loader.',
    todo: 'Press RESET on the board (with BOOT released), or unplug it and plug it in again.',
  },
  'stub-failed': {
    what: 'The flash loader did not start on the board.',
    state: UNTOUCHED,
    todo: 'Reset the board and try again, or do without it, slowly: --no-stub.',
  },
  'flash-size-unknown': {
    what: 'The size of the flash cannot be detected.',
    state: UNTOUCHED,
    todo: 'Say it with --flash-size, such as 4MB: it is printed on the module or in its data sheet. If nothing is known of it, the flash chip does not answer: disconnect what hangs on its pins.',
  },
  'flash-access-refused': {
    what: 'The chip is in secure download mode: its flash cannot be read, and what is written cannot be verified.',
    state: UNTOUCHED,
    todo: 'Update this board over the network, as its maker intends.',
  },
  'beyond-rom-reach': {
    what: 'Without a stub only the first 16 MB of this flash can be reached.',
    state: 'Nothing was sent to the board.',
    todo: 'Use a partition table that ends there, or find out why the stub does not start: reset the board and try again.',
  },
  'range-invalid': {
    what: 'A range is not inside the flash or not on a sector border.',
    state: 'Nothing was sent to the board.',
    todo: 'Please report this with the command that led to it.',
  },
  'flash-failed': {
    what: 'The board reports that it could not write or erase its flash.',
    state: 'The flash is half-written.',
    todo: 'Try again; if it fails at the same place, the flash chip is worn out or its supply too weak.',
  },
  'verify-failed': {
    what: 'What was written reads back different.',
    state: 'The flash is half-written.',
    todo: 'Try again with --baud 115200; if it fails at the same place, the flash chip is worn out.',
  },
  'read-corrupt': {
    what: 'What was read does not match the digest that the board sent along.',
    state: UNTOUCHED,
    todo: 'Try again with --baud 115200.',
  },
  'flash-erased': {
    what: 'The flash is blank now, and was not a moment ago: a command to read it arrived damaged, as the one that erases everything.',
    state: 'Everything on the board is lost, settings included.',
    todo: 'Restore a backup, or flash the board anew; use a shorter cable or --baud 115200.',
  },
};
