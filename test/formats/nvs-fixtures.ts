/** The NVS images of test/fixtures/nvs, and the simplest reading of the CSV files that some were made from. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromHex } from '#formats/bytes.ts';
import { nvsString, type NvsEntry, type NvsType } from '#formats/nvs/nvs.ts';

export interface NvsFixture {
  id: string;
  command: string;
  image: string;
  encrypted: boolean;
  inputs?: string[];
  expected: {
    size: number;
    pages: { index: number; state: string; seq: number; version: number; used: number }[];
    blank_pages: number[];
    namespaces: Record<string, string>;
    items: NvsFixtureItem[];
  };
}

export interface NvsFixtureItem {
  page: number;
  entry: number;
  namespace: string;
  key: string;
  type: NvsType;
  size?: number;
  value?: string;
  value_sha256?: string;
  hex?: string;
  sha256?: string;
}

interface Manifest {
  images: NvsFixture[];
  refused: { id: string; command: string; input: string }[];
}

const FOLDER = new URL('../fixtures/nvs/', import.meta.url);

export const nvsFixtureFiles = (): string[] => readdirSync(fileURLToPath(FOLDER));

export const nvsFixtureBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));

const fixtureText = (name: string): string => new TextDecoder().decode(nvsFixtureBytes(name));

export const nvsManifest = JSON.parse(fixtureText('manifest.json')) as Manifest;

/** The entries of a CSV of the partition generator; of its dialect, what these files use. */
export function entriesOfCsv(name: string): NvsEntry[] {
  const entries: NvsEntry[] = [];
  let namespace = '';
  for (const line of fixtureText(name).split(/\r?\n/).slice(1)) {
    if (line.startsWith('#') || line === '') continue;
    const [key = '', kind = '', encoding = '', value = ''] = splitRow(line);
    if (kind === 'namespace') namespace = key;
    else entries.push(entryOf({ namespace, key }, encoding, kind === 'file' ? nvsFixtureBytes(value) : value));
  }
  return entries;
}

function splitRow(line: string): string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

function entryOf(
  { namespace, key }: { namespace: string; key: string },
  encoding: string,
  value: string | Uint8Array,
): NvsEntry {
  const text = typeof value === 'string' ? value : new TextDecoder().decode(value);
  switch (encoding) {
    case 'string':
      return nvsString(namespace, key, text);
    case 'hex2bin':
      return { namespace, key, type: 'blob', value: fromHex(text) };
    case 'base64':
      return { namespace, key, type: 'blob', value: Uint8Array.from(atob(text), (char) => char.charCodeAt(0)) };
    case 'binary':
      return { namespace, key, type: 'blob', value: value as Uint8Array };
    case 'u64':
    case 'i64':
      return { namespace, key, type: encoding, value: BigInt(text) };
    default:
      return { namespace, key, type: encoding as 'u8', value: Number(text) };
  }
}
