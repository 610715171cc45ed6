/** What the page shows of a release; the bytes stay in the worker. */
import { type AppDescription } from '#formats/app-image.ts';
import { type ChipName } from '#formats/chips.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { type WifiStore } from '#formats/nvs/wifi-credentials.ts';
import { AppSubtype, otaSlots, type Partition } from '#formats/partition-table.ts';
import { payloadOf } from '#formats/release/release-data.ts';
import { type Release, type ReleaseBuild, type ReleaseFile, type ReleaseKind } from '#formats/release/release.ts';

export interface BuildSummary {
  chip: ChipName;
  /** `ESP32-S3`. */
  chipTitle: string;
  /** Bytes of the app image. */
  appSize: number;
  /** `v5.4.2`; unknown for images without a description. */
  idfVersion: string | undefined;
  hasBootloader: boolean;
  /** Its table has both OTA slots. `undefined` without a table. */
  twoSlots: boolean | undefined;
  /** The firmware is known not to read Wi-Fi credentials from NVS. */
  ignoresNvs: boolean;
  /** What the release itself has for the second slot. */
  data: { name: string; size: number } | undefined;
  /** Where its table is, and what stands in it. */
  table: { offset: number; partitions: Partition[] } | undefined;
}

export interface ReleaseSummary {
  kind: ReleaseKind;
  name: string;
  version: string | undefined;
  /** Where it came from, as the user knows it. */
  source: string;
  /** Of all that was picked, what was read. */
  paths: string[];
  builds: BuildSummary[];
  /** Where its firmware looks for Wi-Fi credentials, when the release says. */
  wifiStore: WifiStore | undefined;
  notes: FormatIssue[];
}

export function summarise(
  release: Release,
  { source, files }: { source: string; files: readonly ReleaseFile[] },
): ReleaseSummary {
  return {
    kind: release.kind,
    name: release.name,
    version: release.version,
    source,
    paths: files.map(({ path }) => path),
    builds: release.builds.map(buildSummary),
    wifiStore: release.wifiStore,
    notes: [...release.notes, ...release.builds.flatMap(({ notes }) => notes)],
  };
}

function buildSummary({ chip, app, bootloader, data, table, ignoresNvs }: ReleaseBuild): BuildSummary {
  const description: AppDescription | undefined = app.image.description;
  const slots = table && otaSlots(table.partitions).map(({ subtype }) => subtype);
  return {
    chip: chip.name,
    chipTitle: chip.title,
    appSize: app.data.length,
    idfVersion: description?.idfVersion,
    hasBootloader: bootloader !== undefined,
    twoSlots: slots && slots.includes(AppSubtype.Ota0) && slots.includes(AppSubtype.Ota1),
    ignoresNvs: ignoresNvs ?? false,
    data: data && { name: data.name, size: payloadOf(data.data).length },
    table: table && { offset: table.offset, partitions: table.partitions },
  };
}
