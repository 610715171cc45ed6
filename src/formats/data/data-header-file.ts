/**
 * The C header that names what an image holds, for the firmware that reads it. The names of files, count and checksum are those of
 * Espressif's generator (`MMAP_NAME_FILES`, `MMAP_NAME_CHECKSUM`, `enum MMAP_NAME_LISTS`), so that either reader can use it.
 */
import { type AssetEntry } from './assets.ts';

export interface DataNames {
  /** What stands in the middle of each name; taken from the header's own file name (`headerName`). */
  name: string;
  payloadOffset: number;
  payloadLength: number;
  tag?: string;
  assets?: { entries: readonly AssetEntry[]; checksum: number; nameLength: number };
}

/** `VOICES` of `include/mmap_generate_voices.h`. */
export function headerName(path: string): string {
  const file = path.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '');
  return identifier(file.replace(/^mmap_generate_/, '')) || 'DATA';
}

/** The text of the header. */
export function formatDataHeader({ name, payloadOffset, payloadLength, tag, assets }: DataNames): string {
  const lines = [
    '/* Made by twostep data pack; make it anew when the data change. */',
    '#pragma once',
    '',
    '/* Where the payload starts in the slot, and its bytes. */',
    `#define TWOSTEP_${name}_PAYLOAD_OFFSET ${payloadOffset}`,
    `#define TWOSTEP_${name}_PAYLOAD_SIZE ${payloadLength}`,
    ...(tag === undefined ? [] : [`#define TWOSTEP_${name}_TAG ${cString(tag)}`]),
    '',
  ];
  if (assets) lines.push(...assetLines(name, assets));
  return lines.join('\n');
}

function assetLines(name: string, { entries, checksum, nameLength }: NonNullable<DataNames['assets']>): string[] {
  const taken = new Set<string>();
  const members = entries.map(
    (entry, index) => `    MMAP_${name}_${freeMember(entry.name, taken)} = ${index}, /* ${commentText(entry.name)} */`,
  );
  return [
    '/* Bytes of a name field in the table of files. */',
    `#define TWOSTEP_${name}_NAME_LENGTH ${nameLength}`,
    '',
    `#define MMAP_${name}_FILES ${entries.length}`,
    `#define MMAP_${name}_CHECKSUM 0x${checksum.toString(16).toUpperCase().padStart(4, '0')}`,
    '',
    `enum MMAP_${name}_LISTS {`,
    ...members,
    '};',
    '',
  ];
}

const identifier = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

/** `A_PNG` of `a.png`; the second file that would get a name gets a number behind it. */
function freeMember(fileName: string, taken: Set<string>): string {
  const base = identifier(fileName);
  let member = base;
  for (let number = 2; taken.has(member) || RESERVED.has(member); number++) member = `${base}_${number}`;
  taken.add(member);
  return member;
}

/** These names are taken by the definitions themselves. */
const RESERVED = new Set(['FILES', 'CHECKSUM', 'LISTS']);

const cString = (text: string): string => `"${text.replaceAll(/["\\?]/g, '\\$&')}"`;
/** A name cannot end its comment, nor begin another in it, nor run on into the next line. */
const commentText = (text: string): string => text.replaceAll('*/', '* /').replaceAll('/*', '/ *');
