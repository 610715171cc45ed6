/** A release as it is to be written into a release file: with what its maker adds to what the build systems left. */
import { type Chip } from '../chips.ts';
import { FormatError } from '../format-error.ts';
import { type WifiStore } from '../nvs/wifi-credentials.ts';
import { type DataHeader } from '../data/data-image.ts';
import { type FirmwareProfile, FirmwareProfileSchema, SEED_FIRMWARE } from './firmware-profile.ts';
import { checkShape, readJson } from './json-file.ts';
import { checkedTemplate, type NvsField, NvsTemplateSchema } from './nvs-template.ts';
import { buildsFor, type Release, type ReleaseBuild, type ReleaseFile } from './release.ts';
import { dataSlotOf, type DataWish, packForFirmware, withData, withNamedData } from './release-data.ts';
import { LARGEST_FLASH } from './release-json.ts';

export interface MakeOptions {
  product?: string;
  version?: string;
  /** Only the builds for this chip. */
  chip?: Chip;
  data?: DataWish;
  /** Overrules the profile. */
  dataHeader?: DataHeader;
  profile?: FirmwareProfile;
  nvsTemplate?: NvsField[];
  wifiStore?: WifiStore;
}

/**
 * The release with the maker's wishes. What is not wished stays as the release has it, and the firmware is the demo firmware unless
 * somebody says otherwise.
 *
 * @throws {FormatError} `release-no-build` when nothing is for that chip; as `withData`.
 */
export function prepareRelease(release: Release, options: MakeOptions): Release {
  const { product, version, chip, nvsTemplate, wifiStore } = options;
  const builds = chip ? buildsFor(release, chip) : release.builds;
  if (builds.length === 0)
    throw new FormatError('release-no-build', `The release has no build for ${chip?.title ?? 'any chip'}`);
  const profile = options.profile ?? release.firmwareProfile ?? SEED_FIRMWARE;
  const firmwareProfile = { ...profile, dataHeader: options.dataHeader ?? profile.dataHeader };
  return {
    ...release,
    ...(product !== undefined && { name: product }),
    ...(version !== undefined && { version }),
    builds: builds.map((build) => withDataOf(build, firmwareProfile.dataHeader, options.data)),
    firmwareProfile,
    ...(nvsTemplate && { nvsTemplate }),
    ...(wifiStore && { wifiStore }),
  };
}

/** The data that were given, else those of the release, in either case with the header that the firmware wants. */
function withDataOf(build: ReleaseBuild, header: DataHeader, wish: DataWish | undefined): ReleaseBuild {
  if (wish) return withData(build, header, wish);
  if (!build.data) return withNamedData(build, header);
  const slotSize = dataSlotOf(build)?.size ?? LARGEST_FLASH;
  return { ...build, data: { ...build.data, data: packForFirmware(build.data.data, { header, build, slotSize }) } };
}

/**
 * A firmware profile: a JSON file with any selection of its keys.
 *
 * @throws {FormatError} `release-bad-profile`.
 */
export const readProfile = (file: ReleaseFile): FirmwareProfile =>
  checkShape(FirmwareProfileSchema, readJson(file, 'release-bad-profile'), { file, code: 'release-bad-profile' });

/**
 * An NVS template: a JSON file with a list of fields.
 *
 * @throws {FormatError} `release-bad-nvs-template`.
 */
export function readTemplate(file: ReleaseFile): NvsField[] {
  const code = 'release-bad-nvs-template';
  return checkedTemplate(checkShape(NvsTemplateSchema, readJson(file, code), { file, code }), file);
}
