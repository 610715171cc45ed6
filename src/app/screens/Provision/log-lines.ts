/** Lines of the console for the log: recognised ones with a sign and what they mean. */
import { type BootEventCode } from '#device/boot-lines.ts';
import { type ConsoleLine } from '#device/console.ts';

type Mark = 'info' | 'good' | 'warn' | 'bad';
type Meaning = readonly [mark: Mark, note?: string];

/** As LogView takes it. */
interface LogLine {
  id: number;
  text: string;
  at: string;
  mark?: Mark;
  note?: string;
}

const MEANINGS: Readonly<Record<BootEventCode, Meaning>> = {
  'rom-banner': ['info'],
  'reset-reason': ['info', 'the chip starts'],
  'download-mode': ['warn', 'it waits for a download instead of starting'],
  'invalid-header': ['bad', 'no boot loader where the chip looks for it'],
  'flash-read-error': ['bad', 'the flash cannot be read'],
  'boot-checksum': ['bad', 'the boot loader is damaged'],
  brownout: ['bad', 'the supply sags'],
  watchdog: ['bad', 'it hangs, and a watchdog restarts it'],
  'table-invalid': ['bad', 'no valid partition table'],
  'table-row-beyond-flash': ['bad', 'the table reaches beyond the flash that the boot loader knows of'],
  'table-bad-md5': ['bad', 'the table does not match its digest'],
  'table-no-md5': ['warn', 'the table has no digest'],
  'boot-factory': ['info', 'it starts the factory app'],
  'boot-first-slot': ['info', 'it starts PA'],
  'otadata-invalid': ['warn', 'the choice of slot is damaged'],
  'slot-invalid-magic': ['warn', 'no app in this slot'],
  'data-image-in-boot-slot': ['bad', 'it was told to start the slot with the data'],
  'image-checksum': ['bad', 'the app is damaged'],
  'image-hash': ['bad', 'the app is damaged'],
  'image-damaged': ['bad', 'the app is damaged or cut off'],
  'wrong-chip': ['bad', 'built for another chip'],
  'chip-revision': ['bad', 'built for another revision of the chip'],
  'slot-not-bootable': ['warn', 'this slot cannot be started'],
  'no-bootable-app': ['bad', 'nothing to start'],
  'loaded-app': ['good', 'the boot loader starts the app'],
  'flash-smaller-than-header': ['bad', 'the app expects more flash'],
  panic: ['bad', 'the app crashed'],
  abort: ['bad', 'the app gave up'],
  'got-ip': ['good', 'on the network'],
  'wifi-disconnected': ['warn', 'turned away by the network'],
};

export const logLines = (lines: readonly ConsoleLine[]): LogLine[] =>
  lines.map(({ at, text, event }, id) => {
    const [mark, note] = event ? MEANINGS[event.code] : [];
    return { id, text, at: `${(at / 1000).toFixed(2)}`, ...(mark && { mark }), ...(note !== undefined && { note }) };
  });
