/**
 * `twostep.json`, a small file that a release may carry for what no build system writes down:
 *
 * ```json
 * { "name": "Heater", "version": "2.1.0",
 *   "bootCheck": { "line": "^I \\(\\d+\\) app: ready", "timeoutSeconds": 20 },
 *   "ignoresNvs": false }
 * ```
 *
 * All keys are optional. `bootCheck.line` is a JavaScript regular expression; the firmware is up as soon as a line of its console
 * matches. `timeoutSeconds` is 30 unless told. `ignoresNvs` overrules what is known about the firmware. Unknown keys are allowed.
 */
import * as v from 'valibot';
import { FormatError } from '../format-error.ts';
import { checkShape, readJsonObject } from './json-file.ts';
import { baseName, depthOf } from './paths.ts';
import { type BootCheck, type ReleaseFile } from './release.ts';

const FILE_NAME = 'twostep.json';
const DEFAULT_TIMEOUT_SECONDS = 30;
const MAX_TIMEOUT_SECONDS = 600;

/** The keys of a boot check in JSON. */
export const BOOT_CHECK_ENTRIES = {
  line: v.pipe(v.string(), v.nonEmpty()),
  timeoutSeconds: v.optional(
    v.pipe(v.number(), v.minValue(1), v.maxValue(MAX_TIMEOUT_SECONDS)),
    DEFAULT_TIMEOUT_SECONDS,
  ),
};

const OwnFileSchema = v.looseObject({
  name: v.optional(v.pipe(v.string(), v.nonEmpty())),
  version: v.optional(v.pipe(v.string(), v.nonEmpty())),
  bootCheck: v.optional(v.looseObject(BOOT_CHECK_ENTRIES)),
  ignoresNvs: v.optional(v.boolean()),
});

export interface OwnFile {
  name?: string;
  version?: string;
  bootCheck?: BootCheck;
  ignoresNvs?: boolean;
}

export const isOwnFile = ({ path }: ReleaseFile): boolean => baseName(path) === FILE_NAME;

/**
 * The content of the uppermost `twostep.json`, or nothing.
 *
 * @throws {FormatError} `release-bad-own-file`, or `release-bad-boot-check` when the line is no regular expression.
 */
export function readOwnFile(files: readonly ReleaseFile[]): OwnFile {
  const [file] = files.filter(isOwnFile).toSorted((a, b) => depthOf(a.path) - depthOf(b.path));
  if (!file) return {};
  const value = readJsonObject(file);
  const { name, version, bootCheck, ignoresNvs } = checkShape(OwnFileSchema, value, {
    file,
    code: 'release-bad-own-file',
  });
  return {
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(bootCheck && { bootCheck: checkedBootCheck(bootCheck, file) }),
    ...(ignoresNvs !== undefined && { ignoresNvs }),
  };
}

/**
 * A boot check whose line can be used.
 *
 * @throws {FormatError} `release-bad-boot-check`.
 */
export function checkedBootCheck({ line, timeoutSeconds }: BootCheck, { path }: Pick<ReleaseFile, 'path'>): BootCheck {
  try {
    new RegExp(line);
  } catch (cause) {
    throw new FormatError('release-bad-boot-check', 'The line of the boot check is no regular expression', {
      place: { file: path },
      cause,
    });
  }
  return { line, timeoutSeconds };
}
