/** What a boot loader hands over to the app that it starts, and what of its configuration the app shares. */
import { type AppImage } from '#formats/app-image.ts';
import { type BootTarget } from '#formats/otadata.ts';
import { type Partition } from '#formats/partition-table.ts';

export interface StartedApp {
  target: BootTarget | 'test';
  partition: Partition;
  image: AppImage;
  /** Bytes of flash by the header of the boot loader; the app believes it too. */
  flashSize: number;
  tableOffset: number;
  /** Built with app rollback: the app must confirm itself after an update. */
  rollback: boolean;
  /** major * 100 + minor. */
  chipRevision: number;
  /** `aa:bb:cc:dd:ee:ff`. */
  mac: string;
  /** The clock when the chip started: zero of the times in the log. */
  startedAt: number;
}
