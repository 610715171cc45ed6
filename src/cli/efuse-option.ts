/** `--efuse` and `--mac` of the virtual board: eFuses by the names of what they do, and the address that is burnt. */
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

/**
 * The base address of a board, as it lies in eFuse.
 *
 * @returns it in lower case, with colons.
 * @throws {InputError} `mac` for what no board can have: not six bytes, the address of a group, zeros.
 */
export function parseMac(text: string): string {
  const mac = text.toLowerCase();
  const isWhole = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac);
  // The lowest bit of the first byte is that of groups (IEEE 802); an eFuse that nobody burnt is zero.
  const isUnicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
  if (isWhole && isUnicast && /[1-9a-f]/.test(mac)) return mac;
  throw new InputError('mac', `"${text}" is no MAC of a board`, {
    todo: 'Give six bytes, the first of them even, such as 24:0a:c4:00:00:02.',
  });
}
