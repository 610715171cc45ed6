/**
 * Faults of the virtual board, as the address of the page may ask for them: `?demoFault=NAME` or `?demoFault=NAME:NUMBER`.
 *
 * | fault            | what happens                                                                         |
 * | ---------------- | ------------------------------------------------------------------------------------ |
 * | `unplug:N`       | the cable is pulled when N bytes have gone to the board; once                         |
 * | `hang:N`         | the chip hangs after N bytes, until it is reset; once                                |
 * | `power-cut:N`    | the supply fails in the middle of flash operation N; once                            |
 * | `bad-sector:N`   | sector N (of 4 KiB) neither erases nor programs                                      |
 * | `no-reset`       | DTR and RTS do not reach the chip: it starts its own program instead of listening    |
 * | `deaf`           | no byte reaches the chip                                                             |
 * | `silent`         | no byte comes from the chip                                                          |
 * | `busy`           | the port does not open                                                               |
 */
import { type Fault } from '#sim/faults.ts';
import { type Wire } from '#sim/virtual-esp32-options.ts';
import { type OpenFault } from '#sim/virtual-port.ts';

export interface DemoFaults {
  faults: Fault[];
  cut: Wire[];
  openFault?: OpenFault;
}

/** Unknown names mean no fault. */
export function demoFaults(text: string | undefined): DemoFaults {
  const [name = '', number = '0'] = (text ?? '').split(':');
  const at = Number(number);
  const none: DemoFaults = { faults: [], cut: [] };
  switch (name) {
    case 'unplug':
    case 'hang':
      return { ...none, faults: [{ kind: name, direction: 'to-device', at }] };
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
    default:
      return none;
  }
}
