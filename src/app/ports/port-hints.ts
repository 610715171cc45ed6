/** What a port that does not open may mean on each operating system: a browser says no more than that it did not. */
import { type System } from './browser-abilities.ts';

const BUSY: Readonly<Partial<Record<System, string>>> = {
  windows:
    'Windows gives a port to one program at a time: look for an Arduino IDE, a serial monitor or a slicer that is still open.',
  mac: 'On macOS “lsof /dev/cu.*” in a terminal names the program that holds a port.',
  linux:
    'On Linux it may be rights as well: your user must be in the group of the port (sudo usermod -aG dialout $USER, on Arch uucp; then log in anew). Just after plugging in, ModemManager may hold a port for some seconds.',
  chromeos: 'On ChromeOS the Linux environment may hold the device: take it back in the settings of Linux, under USB.',
};

const REFUSED =
  'The browser itself may refuse: look at chrome://settings/content/serialPorts, and at chrome://policy for rules of the company.';

/** What else to look at on this system after the error of that code, if there is anything. */
export function portHint(code: string, system: System): string | undefined {
  switch (code) {
    case 'port-in-use-or-missing':
    case 'port-busy':
    case 'port-open-failed':
      return BUSY[system];
    case 'port-no-permission':
      return REFUSED;
    default:
      return undefined;
  }
}
