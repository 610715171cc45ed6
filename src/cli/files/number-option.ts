/** Numbers as options name them. */
import { parseFlashSize } from '#formats/chips.ts';
import { InvalidArgumentError } from 'commander';

/** `0x8000`, `32768`, `32K` or `1M`: an offset or a size in bytes, at most 4 GiB - 1. */
export function parseAddress(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+)([km]?)b?$/i.exec(text.trim());
  const unit = { '': 1, k: 1024, m: 0x10_0000 }[(match?.[2] ?? '').toLowerCase()] ?? 1;
  const value = Number(match?.[1]) * unit;
  if (!Number.isInteger(value) || value > 0xffff_ffff)
    throw new InvalidArgumentError('Give bytes, such as 0x8000 or 32K.');
  return value;
}

/** `4MB`. */
export function parseFlashSizeOption(text: string): number {
  const size = parseFlashSize(text);
  if (size === undefined || size === 0) throw new InvalidArgumentError('Give one such as 4MB.');
  return size;
}
