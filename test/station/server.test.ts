import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createStation } from '../../src/station/server.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-page-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('serves the page, and nobody else may frame it', async () => {
  const station = await createStation({ pageFolder: folder });
  const response = await station.inject({ url: '/' });
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toContain('text/html');
  expect(response.headers['content-security-policy']).toContain("frame-ancestors 'self'");
  expect((await station.inject({ url: '/nothing.js' })).statusCode).toBe(404);
  expect((await station.inject({ url: '/../package.json' })).statusCode).toBe(404);
  await station.close();
});
