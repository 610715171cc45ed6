/** The firmwares that a virtual board can run in place of every app image that it is given. */
import { bootFromFlash } from '#sim/boot/second-stage.ts';
import { type StartFirmware } from '#sim/virtual-esp32-options.ts';
import { startHouseFirmware } from './house-firmware.ts';
import { SeedFirmware } from './seed-firmware.ts';
import { SEED_BUILDS, type SeedBuild, type SeedOptions } from './seed-options.ts';

export type FirmwareName = SeedBuild | 'house';

export const FIRMWARE_NAMES = ['house', ...Object.keys(SEED_BUILDS)] as readonly FirmwareName[];

/** `startFirmware` of a board whose apps are all of that build; `changes` but the port are for the seed's builds alone. */
export function firmwareByName(name: FirmwareName, changes: Partial<SeedOptions> = {}): StartFirmware {
  if (name !== 'house') return seedFirmware({ ...SEED_BUILDS[name], ...changes });
  const { port = 80 } = changes;
  return (machine, reason) =>
    bootFromFlash(machine, reason, { startApp: (board, app) => startHouseFirmware(board, app, { port }) });
}

/** Apps and boot loader of one build: a boot loader without rollback would not put an app on trial. */
function seedFirmware(options: SeedOptions): StartFirmware {
  return (machine, reason) =>
    bootFromFlash(machine, reason, {
      ...(options.rollback ? { traits: { rollback: true } } : {}),
      startApp: (board, app) => new SeedFirmware(board, app, options),
    });
}
