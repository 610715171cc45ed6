/** The vectors of test/fixtures/nvs. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type NvsStepOptions } from '#formats/nvs/nvs-csv.ts';
import { type NvsType } from '#formats/nvs/nvs.ts';

export interface NvsFixture {
  id: string;
  command: string;
  image: string;
  encrypted: boolean;
  sha256: string;
  inputs: string[];
  expected: {
    size: number;
    /** SHA-256 of the image before encryption. */
    plain_sha256?: string;
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
  keys: { id: string; file: string }[];
  refused: { id: string; command: string; inputs: string[] }[];
}

const FOLDER = new URL('../fixtures/nvs/', import.meta.url);

export const nvsFixtureFiles = (): string[] => readdirSync(fileURLToPath(FOLDER));

export const nvsFixtureBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));

const fixtureText = (name: string): string => new TextDecoder().decode(nvsFixtureBytes(name));

export const nvsManifest = JSON.parse(fixtureText('manifest.json')) as Manifest;

/** Size, version and files as the command of a vector names them. */
export function nvsVectorOptions({ command }: { command: string }): NvsStepOptions & { size: number } {
  const size = Number(/ (0x[0-9a-f]+)/.exec(command)?.[1]);
  return { size, version: command.includes('--version 1') ? 1 : 2, files: nvsFixtureContents };
}

const nvsFixtureContents = new Map(nvsFixtureFiles().map((name) => [name, nvsFixtureBytes(name)]));
