/** What is known about certain firmware and boot loaders, told from their own bytes. */
import { type AppImage } from '../app-image.ts';
import { type FlashMode } from '../chips.ts';
import { flashFrequencyName } from '../image-header-patch.ts';
import { type HeaderRepair, type ReleaseBuild } from './release.ts';

/** Project name in the app description of every Arduino sketch. */
const ARDUINO_PROJECT = 'arduino-lib-builder';
/** Project name of the two-step demo, and a line of its status page with its own spelling, which survives a new project name. */
const DEMO_PROJECT = 'two_step_http_ota';
const DEMO_PAGE = new TextEncoder().encode('App Partitoin: ');

export const isArduinoApp = (image: AppImage): boolean => image.description?.projectName === ARDUINO_PROJECT;

/** What the build's own bytes tell: to be merged into the build, notes included. */
export function knownFirmware(build: ReleaseBuild): Pick<ReleaseBuild, 'notes' | 'headerRepair' | 'ignoresNvs'> {
  const headerRepair = headerRepairOf(build);
  const ignoresNvs = isDemo(build);
  const note = {
    code: 'release-bootloader-header',
    message:
      'The flash settings in the header of this boot loader are known not to fit every board: set them, or the board may restart for ever',
  };
  return {
    notes: headerRepair ? [...build.notes, note] : build.notes,
    ...(headerRepair && { headerRepair }),
    ...(ignoresNvs && { ignoresNvs }),
  };
}

/**
 * The demo keeps Wi-Fi settings in RAM and joins what was compiled in: credentials in NVS change nothing, unless somebody changed
 * that. Told by its project name or its status page.
 */
function isDemo({ app: { image, data } }: ReleaseBuild): boolean {
  return image.description?.projectName === DEMO_PROJECT || indexOfBytes(data, DEMO_PAGE) >= 0;
}

/**
 * Core 2.0.4 to 2.x of arduino-esp32 (ESP-IDF 4.4) ships boot loaders whose header does not fit the board; esptool puts it right while it
 * writes. The app's own header has the settings of the board. Also proposed when an Arduino boot loader differs from its app.
 */
function headerRepairOf({ bootloader, app, chip }: ReleaseBuild): HeaderRepair | undefined {
  if (!bootloader || !isArduinoApp(app.image)) return undefined;
  const { flashMode, frequencyCode } = app.image.header;
  const boot = bootloader.image.header;
  const oldCore = /^v?4\.4\b/.test(app.image.description?.idfVersion ?? '');
  if (!oldCore && boot.flashMode === flashMode && boot.frequencyCode === frequencyCode) return undefined;
  const frequency = flashFrequencyName(frequencyCode, chip);
  if (!flashMode || !frequency) return undefined;
  return { mode: bootableMode(flashMode), frequency };
}

/** The ROM starts in dual mode; the second stage switches to quad itself (PlatformIO and ESP-IDF write headers so). */
export function bootableMode(mode: FlashMode): FlashMode {
  if (mode === 'qio') return 'dio';
  return mode === 'qout' ? 'dout' : mode;
}

function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array): number {
  const [first = 0] = wanted;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
