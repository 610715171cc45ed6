/** What lies in static/demo is what the script makes, and is a release for every virtual chip. */
import { recogniseRelease } from '#formats/release/recognise.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEMO_FOLDER, demoFiles } from '../../support/make-demo-release.ts';
import { VIRTUAL_CHIPS } from '../../support/releases.ts';

test('static/demo holds what the script makes, and nothing else', () => {
  const there = readdirSync(DEMO_FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = demoFiles();
  expect(there.toSorted()).toEqual(files.map(({ path }) => join(DEMO_FOLDER, path)).toSorted());
  for (const { path, bytes } of files) {
    expect(Buffer.compare(readFileSync(join(DEMO_FOLDER, path)), bytes), path).toBe(0);
  }
});

test('it is a release with a build for each virtual chip', () => {
  const release = recogniseRelease(demoFiles().filter(({ path }) => path !== 'voices.bin'));
  expect(release.builds.map(({ chip }) => chip.name)).toEqual(VIRTUAL_CHIPS);
  expect(release.version).toBe('2.4.0');
});
