/** What is written and read: made anew in every process from a few words, so that nothing of it goes over the channel. */
import { noise } from '../../device/support/bench.ts';

export const KIB = 0x400;
export const MIB = 0x10_0000;
const SECTOR = 0x1000;

export type ImageSpec =
  /** Does not compress. */
  | { kind: 'noise'; length: number; seed?: number }
  /** Deflates to about half, as firmware does. */
  | { kind: 'app'; length: number }
  /** A sixteenth of it app, the rest FF: a merged image. */
  | { kind: 'mostly-blank'; length: number }
  /** Noise, of which that share of the sectors is other noise. */
  | { kind: 'changed'; length: number; share: number };

export function makeImage(spec: ImageSpec): Uint8Array<ArrayBuffer> {
  switch (spec.kind) {
    case 'noise':
      return noise(spec.length, spec.seed);
    case 'app':
      return likeFirmware(spec.length);
    case 'mostly-blank': {
      const image = new Uint8Array(spec.length).fill(0xff);
      image.set(likeFirmware(spec.length >> 4));
      return image;
    }
    case 'changed': {
      const image = noise(spec.length);
      for (const at of changedSectors(spec)) image.set(noise(SECTOR, at + 1), at);
      return image;
    }
  }
}

/** Offsets of the sectors that differ, spread evenly. */
export function changedSectors({ length, share }: { length: number; share: number }): number[] {
  const sectors = length / SECTOR;
  const count = Math.max(1, Math.round(sectors * share));
  return Array.from({ length: count }, (_, index) => Math.floor(((index + 0.5) * sectors) / count) * SECTOR);
}

/** Short stretches of noise in turns with longer repetitions of what lies up to 16 KiB before. */
function likeFirmware(length: number): Uint8Array<ArrayBuffer> {
  const image = noise(length, 11);
  const dice = noise(length >> 1, 23);
  let throwAt = 0;
  const dice16 = (): number => (dice[throwAt++]! << 8) | dice[throwAt++]!;
  for (let at = 0x400; at < length;) {
    const from = at - 1 - (dice16() % Math.min(at, 0x4000));
    const repeated = 6 + (dice16() % 20);
    image.copyWithin(at, from, Math.min(from + repeated, from + length - at));
    at += repeated + 4 + (dice16() % 12);
  }
  return image;
}
