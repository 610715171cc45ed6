/** The planner through its messages: what of many files is read, what is said of it, which plans come back. */
import { FormatError } from '#formats/format-error.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { encodeZip } from '#formats/zip.ts';
import { expect, test } from 'vitest';
import { makeReleaseFiles } from '../../support/releases.ts';
import { payload, readBoard, TWO_SLOTS } from '../../workflows/boards.ts';
import { fileOf, picked, testPlanner } from './support/planner.ts';

const BUILD = makeReleaseFiles({
  chip: 'esp32',
  kind: 'idf',
  partitions: TWO_SLOTS,
  project: 'voice_box',
  version: '2.4.0',
});

/** A file that must not be read. */
function unread(path: string): { path: string; file: File } {
  const file = fileOf(path, new Uint8Array(8));
  file.arrayBuffer = () => Promise.reject(new Error(`${path} was read`));
  return { path, file };
}

test('of a build folder only its top and what its list names is read', async () => {
  const files = [...picked(BUILD, 'build/'), unread('build/esp-idf/main/libmain.a'), unread('build/a/b/c.obj')];
  const summary = await testPlanner().take(files);
  expect(summary).toMatchObject({ kind: 'idf-build', name: 'voice_box', version: '2.4.0', source: 'folder “build”' });
  expect(summary.builds).toMatchObject([{ chip: 'esp32', twoSlots: true, hasBootloader: true }]);
});

test('of a whole project the build in it is found', async () => {
  const files = [unread('project/README.md'), unread('project/main/main.c'), ...picked(BUILD, 'project/build/')];
  expect(await testPlanner().take(files)).toMatchObject({ name: 'voice_box', source: 'folder “project/build”' });
});

test('a .zip of a build is that build', async () => {
  const planner = testPlanner();
  const bytes = encodeZip(BUILD.map((file) => ({ ...file, path: `build/${file.path}` })));
  expect(await planner.take(picked([{ path: 'build.zip', bytes }]))).toMatchObject({
    kind: 'idf-build',
    name: 'voice_box',
    source: 'build.zip',
  });
  expect((await planner.plan(undefined, {}))?.plan.objections).toEqual([]);
});

test('a release file brings its data and its Wi-Fi store', async () => {
  const planner = testPlanner();
  const release = prepareRelease(recogniseRelease(BUILD), {
    data: { name: 'voices.bin', bytes: payload(5000, 'voices 2.4'), layout: 'raw' },
    wifiStore: { kind: 'none' },
  });
  const files = picked([{ path: 'box.zip', bytes: encodeReleaseFile(release) }]);
  expect(await planner.take(files)).toMatchObject({
    kind: 'release-file',
    wifiStore: { kind: 'none' },
    builds: [{ data: { name: 'voices.bin', size: 5000 } }],
  });
  const answer = await planner.plan(undefined, {});
  expect(answer?.plan.writes.map(({ role }) => role)).toContain('data');
});

test('files that are no release are refused with the code of the recogniser, and the release before stays', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  const refusal = planner.take([
    { path: 'letter.txt', file: fileOf('letter.txt', new TextEncoder().encode('Dear board')) },
  ]);
  await expect(refusal).rejects.toBeInstanceOf(FormatError);
  await expect(refusal).rejects.toMatchObject({ code: expect.stringMatching(/^release-/) as string });
  expect((await planner.plan(undefined, {}))?.plan.writes.length).toBeGreaterThan(2);
});

test('a data file that went away after it was chosen is refused, and the one before stays', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  await planner.takeData(fileOf('voices.bin', payload(5000, 'voices 2.4')));
  const gone = fileOf('gone.bin', new Uint8Array(4));
  gone.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'));
  await expect(planner.takeData(gone)).rejects.toMatchObject({ code: 'file-unreadable' });
  expect((await planner.plan(undefined, {}))?.plan.writes.map(({ role }) => role)).toContain('data');
});

test('a file that went away after it was chosen is told as such', async () => {
  const file = fileOf('demo.bin', new Uint8Array(4));
  file.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'));
  await expect(testPlanner().take([{ path: 'demo.bin', file }])).rejects.toMatchObject({ code: 'file-unreadable' });
});

test('without a board the plan is a preview on a blank one; with a board it is for that', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  const preview = await planner.plan(undefined, {});
  expect(preview).toMatchObject({ preview: true, plan: { flashSize: 0x40_0000, objections: [], lost: [], kept: [] } });
  const answer = await planner.plan(await readBoard({ partitions: TWO_SLOTS, flashSize: 0x80_0000 }), {});
  expect(answer).toMatchObject({ preview: false, plan: { flashSize: 0x80_0000, objections: [] } });
});

test('each write comes with bytes of its own, not with the file that they were cut from', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  const answer = await planner.plan(undefined, {});
  expect(answer?.plan.writes.length).toBeGreaterThan(2);
  for (const { data } of answer?.plan.writes ?? []) expect(data.buffer.byteLength).toBe(data.length);
});

test('data are described by size and tag, planned into the second slot, and forgotten when asked', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  const bytes = payload(5000, 'voices 2.4');
  expect(await planner.takeData(fileOf('voices.bin', bytes))).toEqual({
    name: 'voices.bin',
    size: 5000,
    packed: false,
    tag: 'voices 2.4',
  });
  const dataWrites = async (): Promise<number> =>
    (await planner.plan(undefined, {}))?.plan.writes.filter(({ role }) => role === 'data').length ?? 0;
  expect(await dataWrites()).toBe(1);
  expect(await planner.takeData(undefined)).toBeUndefined();
  expect(await dataWrites()).toBe(0);
});

test('a wrong partition CSV is refused with its place', async () => {
  const planner = testPlanner();
  await planner.take(picked(BUILD));
  const bytes = new TextEncoder().encode('nvs, data, nvs, 0x9000, 0x4000\nota, app, nonsense, , 1M\n');
  await expect(planner.plan(undefined, { table: { kind: 'csv', name: 'mine.csv', bytes } })).rejects.toMatchObject({
    name: 'FormatError',
    place: { file: 'mine.csv', line: 2 },
  });
});

test('for a station a lone file stays as it is, many become one archive, and data make a release file that brings them', async () => {
  const planner = testPlanner();
  const lone = encodeReleaseFile(prepareRelease(recogniseRelease(BUILD), {}));
  const same = await planner.pack(picked([{ path: 'voice-box.zip', bytes: lone }]));
  expect(same.name).toBe('voice-box.zip');
  expect(same.bytes).toEqual(lone);
  const folder = await planner.pack([...picked(BUILD, 'build/'), unread('build/esp-idf/libmain.a')]);
  expect(folder.name).toBe('voice_box-2.4.0.zip');
  expect(recogniseRelease([{ path: folder.name, bytes: folder.bytes }])).toMatchObject({ name: 'voice_box' });
  const data = await planner.pack(picked(BUILD), fileOf('voices.bin', payload(5000)));
  const [build] = recogniseRelease([{ path: data.name, bytes: data.bytes }]).builds;
  expect(build?.data?.data.length).toBeGreaterThanOrEqual(5000);
});

test('what is no release is told before anything is sent, with its place', async () => {
  await expect(
    testPlanner().pack(picked([{ path: 'flasher_args.json', bytes: new Uint8Array([123]) }])),
  ).rejects.toThrow(FormatError);
});
