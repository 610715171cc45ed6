/** `--efuse` of the virtual board: eFuses by the names of what they do. */
import { type EfuseSettings } from '#sim/board/efuses.ts';
import { InputError } from './input-error.ts';
import { type VirtualChip } from './ports/port-name.ts';

const EFUSES = {
  'secure-boot': { secureBoot: 'v2' },
  'secure-boot-v1': { secureBoot: 'v1' },
  'encryption-development': { flashEncryption: 'development' },
  'encryption-release': { flashEncryption: 'release' },
  'secure-download': { secureDownload: true },
  'no-download': { downloadDisabled: true },
} as const satisfies Record<string, EfuseSettings>;
type EfuseName = keyof typeof EFUSES;

export const EFUSE_NAMES = Object.keys(EFUSES) as EfuseName[];

/** What a chip cannot have burnt. */
const FOREIGN: Readonly<Record<VirtualChip, readonly EfuseName[]>> = {
  esp32: ['secure-download'],
  esp32s3: ['secure-boot-v1'],
  esp32c3: ['secure-boot-v1'],
};

/**
 * `secure-boot,encryption-release`.
 *
 * @throws {InputError} `efuse` when there is none of that name, or the chip does not have it.
 */
export function parseEfuses(text: string, chip: VirtualChip): EfuseSettings {
  const names = text.split(',').map((name) => name.trim());
  const settings = names.map((given) => {
    const name = EFUSE_NAMES.find((known) => known === given);
    if (!name || FOREIGN[chip].includes(name)) {
      throw new InputError('efuse', `"${given}" is no eFuse of the virtual ${chip}`, {
        todo: `Give ${EFUSE_NAMES.filter((known) => !FOREIGN[chip].includes(known)).join(', ')}.`,
      });
    }
    return EFUSES[name];
  });
  return Object.assign({}, ...settings) as EfuseSettings;
}
