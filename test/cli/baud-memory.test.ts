import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheFolder, fileBauds } from '../../src/cli/baud-memory.ts';

test('rates are kept in a file of the cache, and a damaged file is no trouble', () => {
  const folder = mkdtempSync(join(tmpdir(), 'twostep-bauds-'));
  const file = join(cacheFolder({ XDG_CACHE_HOME: folder }), 'bauds.json');
  fileBauds(file).note('10c4:ea60/aa', 460_800);
  fileBauds(file).note('10c4:ea60/bb', 921_600);
  expect(fileBauds(file).recall('10c4:ea60/aa')).toBe(460_800);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ '10c4:ea60/aa': 460_800, '10c4:ea60/bb': 921_600 });
  for (const text of ['no json', '{"10c4:ea60/aa": "fast"}', '[]']) {
    writeFileSync(file, text);
    expect(fileBauds(file).recall('10c4:ea60/aa')).toBeUndefined();
  }
  fileBauds(join(file, 'below', 'a', 'file.json')).note('x', 115_200);
  rmSync(folder, { recursive: true });
});
