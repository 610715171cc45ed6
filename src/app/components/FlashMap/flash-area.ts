/** What the flash map shows: areas with a role and a state. It knows nothing of plans or boards. */
import { addressText, bytesText } from '#messages/units.ts';

export type AreaRole = 'boot' | 'table' | 'settings' | 'app' | 'data' | 'other' | 'free';

export type AreaState =
  /** Stays as it is. */
  | 'kept'
  /** Will be written. */
  | 'planned'
  /** Is being written; see `done`. */
  | 'writing'
  /** The run ended in the middle of it. */
  | 'stopped'
  /** All bytes acknowledged, not compared yet. */
  | 'written'
  /** The board's own digest is the expected one. */
  | 'verified'
  /** What is there now goes away. */
  | 'lost'
  /** Holds something else than it should. */
  | 'differs'
  /** Cannot be used as it is. */
  | 'damaged';

export interface FlashArea {
  id: string;
  label: string;
  role: AreaRole;
  /** Bytes from the start of the flash. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Bytes at its start that hold something, where that is less than `size`. */
  used?: number | undefined;
  state?: AreaState | undefined;
  /** Share of `used` that is written, 0 to 1, while `writing` or when `stopped`. */
  done?: number | undefined;
  /** What lies in it, in a few words: `voice-box 2.4.0`. */
  detail?: string | undefined;
}

export const ROLE_WORDS: Readonly<Record<AreaRole, string>> = {
  boot: 'boot loader',
  table: 'partition table',
  settings: 'settings',
  app: 'app',
  data: 'data',
  other: 'other data',
  free: 'free',
};

export const STATE_WORDS: Readonly<Record<AreaState, string>> = {
  kept: 'kept',
  planned: 'to be written',
  writing: 'being written',
  stopped: 'half-written',
  written: 'written',
  verified: 'verified',
  lost: 'will be lost',
  differs: 'differs',
  damaged: 'damaged',
};

/** Only a part of the bytes is there. */
export const isPartial = (state: AreaState | undefined): boolean => state === 'writing' || state === 'stopped';

/** The state with its share: `being written, 40 %`; empty without a state. */
export function stateText({ state, done }: FlashArea): string {
  if (!state) return '';
  const share = done !== undefined && isPartial(state) ? `, ${Math.floor(done * 100)} %` : '';
  return STATE_WORDS[state] + share;
}

/** `1.31 MiB of 3.94 MiB`, or the size alone. */
export function sizeText({ size, used }: FlashArea): string {
  if (used === 0) return `${bytesText(size)}, empty`;
  return used === undefined || used >= size ? bytesText(size) : `${bytesText(used)} of ${bytesText(size)}`;
}

/** `0x10000 to 0x3fffff`: first and last byte. */
export const rangeText = ({ offset, size }: Pick<FlashArea, 'offset' | 'size'>): string =>
  `${addressText(offset)} to ${addressText(offset + size - 1)}`;

/** Everything that the map shows of an area as one sentence, for a screen reader. */
export function areaText(area: FlashArea): string {
  const role = area.label.toLowerCase().includes(ROLE_WORDS[area.role]) ? '' : ROLE_WORDS[area.role];
  return [area.label, role, area.detail ?? '', sizeText(area), rangeText(area), stateText(area)]
    .filter(Boolean)
    .join(', ');
}
