/** The images of test/fixtures/app and what Espressif's tools say about them. */
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../fixtures/app/', import.meta.url);

export interface ParsedByTool {
  header: Record<string, unknown> & { hash_appended: number };
  segments: { load_addr: number; length: number; file_offset: number }[];
  checksum_offset?: number;
  checksum_calc?: number;
  checksum_stored?: number;
  image_length?: number;
  sha256_stored?: string;
  sha256_calc?: string;
  app_desc?: Record<string, unknown> | null;
  truncated?: boolean;
}

export interface ImageVector {
  id: string;
  file: string;
  kind: 'app_image' | 'bootloader_image' | 'merged_flash';
  valid: boolean;
  command: string;
  chip?: string;
  expected: { length: number; parsed?: ParsedByTool; idf_verify?: string; log?: string[]; header_after?: string };
}

export const imageFixture = (file: string): Uint8Array => new Uint8Array(readFileSync(new URL(file, folder)));

export const imageFixtureFiles = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.bin'));

export const imageVectors = (
  JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as { vectors: ImageVector[] }
).vectors;
