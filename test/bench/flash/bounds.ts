/**
 * What physics asks for at least, whoever does it: the larger of the time on the wire and the time of the flash.
 *
 * Wire: the bytes that the protocol must carry one way, in frames of 16 KiB (writing) or 4 KiB (reading) with their headers,
 * their SLIP borders and escapes; written bytes deflated at level 9 where that makes them fewer. The few bytes of the other
 * way run at the same time and do not count, nor do latencies. Flash: the erase of what is not blank, by 64 KiB blocks where
 * that is faster, and the programming of the pages that are not blank, at the times of the model. Where something is right
 * already, only the sectors that differ count, but the board has to hash the whole once before anybody knows.
 */
import { alignUp } from '#formats/bytes.ts';
import { deflateSync } from 'node:zlib';
import { flashBefore, type Job, type Part, partsAfter } from './jobs.ts';
import { FLASH_MODEL, type Line } from './lines.ts';

const SECTOR = 0x1000;
const BLOCK = 0x1_0000;
const PAGE = 0x100;
const WRITE_FRAME = 0x4000;
const READ_FRAME = 0x1000;
/** Bytes of a data block besides the data: header of the command, sub-header. */
const WRITE_HEADER = 8 + 16;
const BORDERS = 2;

export interface Bound {
  wireMs: number;
  flashMs: number;
  /** The MD5 without which nobody knows what may stay. */
  md5Ms: number;
  totalMs: number;
}

export async function boundOf(job: Job, { rate }: Line): Promise<Bound> {
  if (job.kind === 'open') return { wireMs: 0, flashMs: 0, md5Ms: 0, totalMs: 0 };
  const before = flashBefore(job);
  if (job.kind === 'read') {
    const wireMs = framedBytes(before.subarray(0, job.image.length), READ_FRAME, 0) / rate;
    return { wireMs, flashMs: 0, md5Ms: 0, totalMs: wireMs };
  }
  const parts = await partsAfter(job);
  const isDelta = job.kind === 'write' && job.before !== undefined;
  const work = isDelta ? parts.flatMap((part) => differingSectors(before, part)) : parts;
  const wireMs = work.reduce((sum, { data }) => sum + wireBytes(data), 0) / rate;
  const flashMs = work.reduce((sum, part) => sum + flashMsOf(before, part), 0);
  const md5Ms = isDelta ? parts.reduce((sum, { data }) => sum + data.length, 0) / FLASH_MODEL.md5Rate : 0;
  return { wireMs, flashMs, md5Ms, totalMs: md5Ms + Math.max(wireMs, flashMs) };
}

/** Bytes on the line for the data of a write. */
function wireBytes(data: Uint8Array): number {
  const packed = deflateSync(data, { level: 9 });
  return framedBytes(packed.length < data.length ? packed : data, WRITE_FRAME, WRITE_HEADER);
}

/** Bytes on the line for data in frames; escapes are counted, but for those of the headers. */
export function framedBytes(data: Uint8Array, frame: number, header: number): number {
  let escapes = 0;
  for (const byte of data) if (byte === 0xc0 || byte === 0xdb) escapes++;
  return data.length + escapes + Math.ceil(data.length / frame) * (header + BORDERS);
}

/** Milliseconds in which the chip erases what lies under a part, and programs it. */
export function flashMsOf(before: Uint8Array, { offset, data }: Part): number {
  const { page, sector, block } = FLASH_MODEL.flashTimes;
  const end = alignUp(offset + data.length, SECTOR);
  let ms = 0;
  for (let at = offset; at < end;) {
    const stop = Math.min(alignUp(at + 1, BLOCK), end);
    let used = 0;
    for (let one = at; one < stop; one += SECTOR) if (!isBlank(before, one, SECTOR)) used++;
    const bySectors = used * sector;
    ms += stop - at === BLOCK && used > 0 ? Math.min(block, bySectors) : bySectors;
    at = stop;
  }
  for (let at = 0; at < data.length; at += PAGE) if (!isBlank(data, at, PAGE)) ms += page;
  return ms;
}

function differingSectors(before: Uint8Array, { offset, data }: Part): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < data.length; at += SECTOR) {
    const sector = data.subarray(at, at + SECTOR);
    const old = before.subarray(offset + at, offset + at + sector.length);
    if (sector.some((byte, index) => byte !== old[index])) parts.push({ offset: offset + at, data: sector });
  }
  return parts;
}

function isBlank(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let at = offset; at < Math.min(offset + length, bytes.length); at++) if (bytes[at] !== 0xff) return false;
  return true;
}
