/**
 * A release: one firmware version with its parts, for one chip or for several, in whatever shape people have it.
 * Only values; where they come from is in the other files of this folder.
 */
import { type AppImage } from '../app-image.ts';
import { type Chip, type FlashMode } from '../chips.ts';
import { type DataLayout } from '../data/data-reader.ts';
import { type FormatIssue } from '../format-error.ts';
import { type WifiStore } from '../nvs/wifi-credentials.ts';
import { type Partition } from '../partition-table.ts';
import { type FirmwareProfile } from './firmware-profile.ts';
import { type NvsField } from './nvs-template.ts';

/** A file as the user gave it: a path with forward slashes, relative to the folder that was chosen, or a bare name. */
export interface ReleaseFile {
  path: string;
  bytes: Uint8Array;
}

/** Bytes and the flash offset where they belong. */
export interface ReleasePart {
  /** File name or partition label. */
  name: string;
  offset: number;
  data: Uint8Array;
}

export interface ReleaseBootloader extends ReleasePart {
  image: AppImage;
}

export interface ReleaseApp {
  name: string;
  data: Uint8Array;
  image: AppImage;
  /** Where the release puts it; absent for an app that comes without a table. */
  offset?: number;
}

export interface ReleaseTable {
  offset: number;
  /** As in the file: 0xC00 bytes, more when it is signed. */
  data: Uint8Array;
  partitions: Partition[];
}

/** Data for the second slot, as the firmware wants them there. */
export interface ReleaseData {
  name: string;
  /** With the header that the firmware profile asks for. */
  data: Uint8Array;
  /** The slot in the release's own table; absent without a table, or where it has no second slot. */
  offset?: number;
  /** One file, or many with a table of their names. */
  layout: DataLayout;
  /** Text of the tag field before the payload, where there is one. */
  tag?: string;
}

/** How to see on the console that the firmware is up. */
export interface BootCheck {
  /** JavaScript regular expression that a line must match. */
  line: string;
  timeoutSeconds: number;
}

/** Flash settings that the boot loader's header should have. */
export interface HeaderRepair {
  mode: FlashMode;
  frequency: string;
}

/** Everything for one chip. What is absent is not part of the release and stays as it is on the board. */
export interface ReleaseBuild {
  chip: Chip;
  bootloader?: ReleaseBootloader;
  table?: ReleaseTable;
  otadata?: ReleasePart;
  app: ReleaseApp;
  data?: ReleaseData;
  /** File systems, data, NVS images, further apps: in the order of their offsets. */
  extra: ReleasePart[];
  /** What the user should be told. */
  notes: FormatIssue[];
  bootCheck?: BootCheck;
  /** The firmware is known not to read Wi-Fi credentials from NVS. */
  ignoresNvs?: boolean;
  /** Set when the boot loader's header is known not to fit, or differs from the settings that the release names. */
  headerRepair?: HeaderRepair;
  /** Speed of the console, where the release tells it. */
  consoleBaud?: number;
  /** Bytes of flash that it needs, where the release tells it. */
  flashSize?: number;
  /** Kind of port that the build is for (esp-web-tools manifests). */
  serialType?: 'cdc' | 'uart';
}

export type ReleaseKind =
  'idf-build' | 'arduino' | 'platformio' | 'merged' | 'app' | 'web-tools' | 'launchpad' | 'release-file' | 'backup';

export interface Release {
  kind: ReleaseKind;
  /** Name and version as people know them; never a path of the machine that built it. */
  name: string;
  version?: string;
  /** At least one. */
  builds: ReleaseBuild[];
  /** What the firmware accepts; the demo firmware unless told. */
  firmwareProfile?: FirmwareProfile;
  /** Settings that each unit gets; their values come with the unit. */
  nvsTemplate?: NvsField[];
  /** Where the firmware looks for its Wi-Fi credentials. */
  wifiStore?: WifiStore;
  /** What concerns no single build. */
  notes: FormatIssue[];
}

/** The builds for that chip: none, one, or one for each kind of port. */
export const buildsFor = ({ builds }: Release, chip: Chip): ReleaseBuild[] =>
  builds.filter((build) => build.chip.name === chip.name);
