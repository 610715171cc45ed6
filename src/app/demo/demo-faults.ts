/**
 * Faults of the virtual board, as the address of the page may ask for them: `?demoFault=NAME` or `?demoFault=NAME:NUMBER`.
 *
 * | fault              | what happens                                                                         |
 * | ------------------ | ------------------------------------------------------------------------------------ |
 * | `unplug:N`         | the cable is pulled when N bytes have gone to the board; once                        |
 * | `hang:N`           | the chip hangs after N bytes, until it is reset; once                                |
 * | `flip:N`           | a bit of byte N to the board is turned; once                                         |
 * | `flip-back:N`      | a bit of byte N from the board is turned; once                                       |
 * | `drop:N`           | some bytes to the board are lost, from byte N on; once                               |
 * | `drop-back:N`      | some bytes from the board are lost, from byte N on; once                             |
 * | `power-cut:N`      | the supply fails in the middle of flash operation N; once                            |
 * | `bad-sector:N`     | sector N (of 4 KiB) neither erases nor programs                                      |
 * | `no-reset`         | DTR and RTS do not reach the chip: it starts its own program instead of listening    |
 * | `deaf`             | no byte reaches the chip                                                             |
 * | `silent`           | no byte comes from the chip                                                          |
 * | `busy`             | the port does not open                                                               |
 * | `no-stub`          | what is loaded into RAM crashes: the loader in ROM has to do                         |
 * | `secure-boot`      | the chip starts signed code only                                                     |
 * | `flash-encryption` | the chip decrypts what it reads                                                      |
 * | `secure-download`  | the loader lets nothing be read back; not on the ESP32                               |
 */
import { type EfuseSettings } from '#sim/board/efuses.ts';
import { type Fault } from '#sim/faults.ts';
import { type Wire } from '#sim/virtual-esp32-options.ts';
import { type OpenFault } from '#sim/virtual-port.ts';

export interface DemoFaults {
  faults: Fault[];
  cut: Wire[];
  efuses: EfuseSettings;
  openFault?: OpenFault;
  crashesUploads?: boolean;
}

/** Bytes that `drop` loses. */
const LOST = 20;

/** Unknown names mean no fault. */
export function demoFaults(text: string | undefined): DemoFaults {
  const [name = '', number = '0'] = (text ?? '').split(':');
  const at = Number(number);
  const none: DemoFaults = { faults: [], cut: [], efuses: {} };
  switch (name) {
    case 'unplug':
    case 'hang':
      return { ...none, faults: [{ kind: name, direction: 'to-device', at }] };
    case 'flip':
      return { ...none, faults: [{ kind: 'flip', direction: 'to-device', at, bit: 3 }] };
    case 'flip-back':
      return { ...none, faults: [{ kind: 'flip', direction: 'to-host', at, bit: 3 }] };
    case 'drop':
      return { ...none, faults: [{ kind: 'drop', direction: 'to-device', at, count: LOST }] };
    case 'drop-back':
      return { ...none, faults: [{ kind: 'drop', direction: 'to-host', at, count: LOST }] };
    case 'power-cut':
      return { ...none, faults: [{ kind: name, operation: at, share: 0.5 }] };
    case 'bad-sector':
      return { ...none, faults: [{ kind: name, sector: at }] };
    case 'no-reset':
      return { ...none, cut: ['modem'] };
    case 'deaf':
      return { ...none, cut: ['to-device'] };
    case 'silent':
      return { ...none, cut: ['to-host'] };
    case 'busy':
      return { ...none, openFault: { kind: 'busy', style: 'browser' } };
    case 'no-stub':
      return { ...none, crashesUploads: true };
    case 'secure-boot':
      return { ...none, efuses: { secureBoot: true } };
    case 'flash-encryption':
      return { ...none, efuses: { flashEncryption: 'release' } };
    case 'secure-download':
      return { ...none, efuses: { secureDownload: true } };
    default:
      return none;
  }
}
