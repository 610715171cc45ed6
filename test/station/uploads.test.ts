/** Uploads over real sockets: how large, how many at once, how slow. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MAX_UPLOAD } from '#api.ts';
import { releaseFile, StationRig } from './support/station-rig.ts';

let rig: StationRig;
let port: number;
let head: string;
const uploads: Upload[] = [];
/** The station's ends, in the order of the connections. */
const ends: Socket[] = [];
const PATIENCE = { timeout: 5000 };

beforeEach(async () => {
  rig = await StationRig.start();
  await rig.station.server.listen({ host: '127.0.0.1', port: 0 });
  rig.station.server.server.on('connection', (socket: Socket) => ends.push(socket));
  ({ port } = rig.station.server.server.address() as { port: number });
  const host = `127.0.0.1:${port}`;
  const opened = await fetch(`http://${host}/api/session`, { method: 'POST', headers: { origin: `http://${host}` } });
  const cookie = opened.headers.getSetCookie()[0]!.split(';')[0]!;
  head =
    `POST /api/releases?name=x.zip HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nCookie: ${cookie}\r\n` +
    'Content-Type: application/octet-stream\r\n';
});
afterEach(async () => {
  for (const { socket } of uploads.splice(0)) socket.destroy();
  ends.length = 0;
  await rig.end();
});

class Upload {
  readonly socket: Socket;
  /** What was answered so far, but that it may go on. */
  said = '';

  private constructor() {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data: Buffer) => (this.said += data.toString()));
    this.socket.on('error', () => undefined); // it is closed while the rest is sent
    uploads.push(this);
  }

  /** Comes back when the station has seen the request. */
  static async begin(length: string): Promise<Upload> {
    const upload = new Upload();
    upload.socket.write(`${head}Expect: 100-continue\r\n${length}\r\n\r\n`);
    await expect.poll(() => upload.said, PATIENCE).toContain('100 Continue');
    upload.said = upload.said.replace('HTTP/1.1 100 Continue\r\n\r\n', '');
    return upload;
  }

  static async of(bytes: Uint8Array): Promise<Upload> {
    const upload = await Upload.begin(`Content-Length: ${bytes.length}`);
    upload.socket.write(bytes);
    return upload;
  }

  /** One whose client sends a little and no more. */
  static async stalled(): Promise<Upload> {
    const upload = await Upload.begin('Content-Length: 1000000');
    upload.socket.write(new Uint8Array(1000));
    return upload;
  }

  /** What is answered as time passes by steps of so many milliseconds. */
  async answer(step = 0): Promise<string> {
    const said = async (): Promise<string> => (step > 0 && (await rig.pass(step)), this.said);
    await expect.poll(said, PATIENCE).toMatch(/\r\n\r\n\{.*\}/s);
    return this.said;
  }
}

test.each([
  { what: 'as soon as it is announced', length: `Content-Length: ${MAX_UPLOAD + 1}`, sent: 10 },
  { what: 'where it passes the limit', length: 'Transfer-Encoding: chunked', sent: MAX_UPLOAD + 1 },
])('what is too large is refused: $what', async ({ length, sent }) => {
  const upload = await Upload.begin(length);
  if (length.includes('chunked')) upload.socket.write(`${sent.toString(16)}\r\n`);
  upload.socket.write(new Uint8Array(sent));
  const answer = await upload.answer();
  expect(answer).toMatch(/^HTTP\/1.1 413 .*"too-large"/s);
  expect(answer).toMatch(/^connection: close/im);
});

test('while two are under way a third is asked to come again, and comes to that answer', async () => {
  const under = [await Upload.stalled(), await Upload.stalled()];
  const third = await Upload.of(releaseFile('2.0.0'));
  const answer = await third.answer(1000);
  expect(answer).toMatch(/^HTTP\/1.1 503 .*\{"error":"station-busy"\}/s);
  expect(answer).toMatch(/^retry-after: \d+\r$/im);
  expect(answer).not.toMatch(/^connection: close/im);
  // What it sent was read past: the connection is as good as new.
  third.said = '';
  third.socket.write(head.replace(/^POST \S+/, 'GET /api/releases') + '\r\n');
  await expect.poll(() => third.said, PATIENCE).toMatch(/^HTTP\/1.1 200 /);
  expect(under.map(({ said }) => said)).toEqual(['', '']);
});

test('one that waits gets the place of one that is broken off', async () => {
  const [first] = [await Upload.stalled(), await Upload.stalled()];
  const third = await Upload.of(releaseFile('2.0.0'));
  first.socket.destroy();
  expect(await third.answer()).toMatch(/^HTTP\/1.1 200 .*"version":"2.0.0"/s);
});

test('one that nobody waits for any more does not take the place of another', async () => {
  const [first] = [await Upload.stalled(), await Upload.stalled()];
  const gone = await Upload.begin('Content-Length: 1000');
  const waiting = await Upload.of(releaseFile('2.0.0'));
  gone.socket.destroy();
  await expect.poll(() => ends.at(-2)?.destroyed, PATIENCE).toBe(true);
  first.socket.destroy();
  expect(await waiting.answer()).toMatch(/^HTTP\/1.1 200 /);
  // Somebody who changes their mind is no fault of the station.
  expect(rig.said).toEqual([]);
});

test('one that does not go on coming is given up, and its place is free', async () => {
  const stalled = [await Upload.stalled(), await Upload.stalled()];
  for (const upload of stalled) {
    const answer = await upload.answer(5000);
    expect(answer).toMatch(/^HTTP\/1.1 408 .*\{"error":"upload-stalled"\}/s);
    expect(answer).toMatch(/^connection: close/im);
  }
  for (const version of ['2.0.0', '3.0.0', '4.0.0']) {
    expect(await (await Upload.of(releaseFile(version))).answer()).toMatch(/^HTTP\/1.1 200 /);
  }
});

test('one that comes slowly is taken', async () => {
  const bytes = releaseFile('2.0.0');
  const slow = await Upload.begin(`Content-Length: ${bytes.length}`);
  const size = Math.ceil(bytes.length / 4);
  for (let at = 0; at < bytes.length; at += size) {
    slow.socket.write(bytes.subarray(at, at + size));
    await expect.poll(() => ends.at(-1)?.bytesRead, PATIENCE).toBeGreaterThanOrEqual(Math.min(at + size, bytes.length));
    await rig.pass(20_000);
  }
  expect(await slow.answer()).toMatch(/^HTTP\/1.1 200 /);
});
