// @vitest-environment happy-dom
import { MAX_UPLOAD } from '#api.ts';
import { ReleaseUpload } from '#app/state/updates/release-upload.svelte.ts';
import { FormatError } from '#formats/format-error.ts';
import { expect, test } from 'vitest';
import { makeReleaseFiles } from '../../../support/releases.ts';
import { sampleRelease } from '../../../support/update-samples.ts';
import { TWO_SLOTS } from '../../../workflows/boards.ts';
import { picked, testPlanner } from '../support/planner.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

const BUILD = picked(makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }));

test('a build is checked, packed and sent; how much of it went out is known', async () => {
  const station = new ScriptedStation().on('POST releases', () => sampleRelease());
  const upload = new ReleaseUpload(station.client, testPlanner);
  const states: string[] = [];
  station.on('POST releases', () => (states.push(upload.status), sampleRelease()));
  expect(await upload.send(BUILD)).toEqual(sampleRelease());
  expect(states).toEqual(['sending']);
  expect(station.seen('POST releases')).toEqual([upload.total]);
  expect(upload).toMatchObject({ status: 'idle', sent: upload.total, error: undefined });
});

test('what is no release is not sent', async () => {
  const station = new ScriptedStation();
  const upload = new ReleaseUpload(station.client, testPlanner);
  expect(await upload.send(picked([{ path: 'letter.txt', bytes: new Uint8Array([65]) }]))).toBeUndefined();
  expect(upload.error).toBeInstanceOf(FormatError);
  expect(station.requests).toEqual([]);
});

test('what the station does not take is said, and another can be tried', async () => {
  const station = new ScriptedStation().on('POST releases', () => {
    throw new Refusal('release-refused');
  });
  const upload = new ReleaseUpload(station.client, testPlanner);
  await upload.send(BUILD);
  expect(upload).toMatchObject({ status: 'idle', error: { code: 'release-refused', detail: 'why' } });
  station.on('POST releases', () => sampleRelease());
  await upload.send(BUILD);
  expect(upload.error).toBeUndefined();
});

test('a file that no station takes is not sent', async () => {
  const station = new ScriptedStation();
  const planner = testPlanner();
  planner.pack = async () => ({ name: 'huge', bytes: { length: MAX_UPLOAD + 1 } as Uint8Array<ArrayBuffer> });
  const upload = new ReleaseUpload(station.client, () => planner);
  await upload.send(BUILD);
  expect(upload.error).toMatchObject({ code: 'too-large' });
  expect(station.requests).toEqual([]);
});

test('that is cancelled is no failure', async () => {
  const station = new ScriptedStation();
  const upload = new ReleaseUpload(station.client, testPlanner);
  station.on('POST releases', () => upload.cancel());
  expect(await upload.send(BUILD)).toBeUndefined();
  expect(upload).toMatchObject({ status: 'idle', error: undefined });
});
