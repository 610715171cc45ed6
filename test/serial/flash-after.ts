import { alignUp } from '#formats/bytes.ts';

/** A blank flash of 4 MB after these writes, in their order; each erases the sectors that it touches. */
export function flashAfter(writes: readonly { offset: number; data: Uint8Array }[]): Uint8Array {
  const flash = new Uint8Array(0x40_0000).fill(0xff);
  for (const { offset, data } of writes) {
    flash.fill(0xff, offset, alignUp(offset + data.length, 0x1000));
    flash.set(data, offset);
  }
  return flash;
}
