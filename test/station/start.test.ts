import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StationInfo } from '#api.ts';
import { ModelClock } from '#model-clock.ts';
import { defaultDataFolder } from '../../src/station/data-folder.ts';
import { type RunningStation, type StartOptions, startStation } from '../../src/station/start.ts';
import { FakeLan } from './support/fake-lan.ts';

const TLS = join(import.meta.dirname, '..', 'fixtures', 'tls');
const CERTIFICATE = { tlsCert: join(TLS, 'cert.pem'), tlsKey: join(TLS, 'key.pem') };

let folder: string;
let station: RunningStation | undefined;
const said: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-start-'));
});
afterEach(async () => {
  await station?.close();
  station = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function start(more: Partial<StartOptions> = {}): Promise<RunningStation> {
  const lan = new FakeLan(new ModelClock());
  const options = {
    host: '127.0.0.1',
    port: 0,
    data: join(folder, 'data'),
    version: '1',
    log: (line: string) => said.push(line),
  };
  return (station = await startStation({ ...options, ...more }, { network: lan, files: lan }));
}

test('on this computer, without a code, in a folder for its user alone', async () => {
  const { url, pairingCode } = await start();
  expect(pairingCode).toBeUndefined();
  expect(((await (await fetch(`${url}api/station`)).json()) as StationInfo).session).toBe('ask');
  expect(statSync(join(folder, 'data')).mode & 0o77).toBe(0);
  expect(statSync(join(folder, 'data', 'station.sqlite')).mode & 0o77).toBe(0);
});

test('the page is served beside the API', async () => {
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
  const { url } = await start({ pageFolder: folder });
  const page = await fetch(url);
  expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-cache']);
  expect(await page.text()).toBe('<!doctype html>');
  for (const path of ['data/station.sqlite/..%2f..%2f', 'nothing.js', 'api/nothing']) {
    expect((await fetch(url + path)).status).toBeGreaterThanOrEqual(400);
  }
});

describe('what is refused, with nothing left behind', () => {
  test.each<{ what: string; options: Partial<StartOptions>; code: string }>([
    { what: 'plain http on all addresses', options: { host: '0.0.0.0' }, code: 'insecure-listen' },
    { what: 'plain http on one of a network', options: { host: '192.168.7.2' }, code: 'insecure-listen' },
    { what: 'plain http on a name', options: { host: 'bench.local' }, code: 'insecure-listen' },
    {
      what: 'the same behind a proxy',
      options: { host: '0.0.0.0', behindProxy: 'https://bench.example' },
      code: 'insecure-listen',
    },
    { what: 'a proxy with a path', options: { behindProxy: 'https://bench.example/twostep' }, code: 'proxy-origin' },
    { what: 'a proxy that is none', options: { behindProxy: 'bench.example' }, code: 'proxy-origin' },
    { what: 'a certificate without a key', options: { tlsCert: CERTIFICATE.tlsCert }, code: 'tls-unusable' },
    {
      what: 'a key for a certificate',
      options: { tlsCert: CERTIFICATE.tlsKey, tlsKey: CERTIFICATE.tlsKey },
      code: 'tls-unusable',
    },
    {
      what: 'files that are not there',
      options: { tlsCert: '/nowhere/a', tlsKey: '/nowhere/b' },
      code: 'tls-unusable',
    },
    { what: 'no folder of releases', options: { releases: '/nowhere/releases' }, code: 'releases-unreadable' },
    { what: 'a folder that is a file', options: { data: CERTIFICATE.tlsCert }, code: 'data-unusable' },
    { what: 'an address of somebody else', options: { host: '192.0.2.1', ...CERTIFICATE }, code: 'listen-failed' },
  ])('$what', async ({ options, code }) => {
    await expect(start(options)).rejects.toMatchObject({ name: 'StartError', code });
    await start();
  });

  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({ code: 'port-in-use' });
    other.close();
    await start();
  });

  test('a folder that another station uses', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({ code: 'data-in-use' });
    await first.close();
  });
});

describe('for other computers', () => {
  /** As a browser that asks for `host`. */
  const ask = (url: string, host: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const asked = request(
        `${url}api/station`,
        { ca: readFileSync(CERTIFICATE.tlsCert), servername: 'bench.local', headers: { host } },
        (answer) => {
          let body = '';
          answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        },
      );
      asked.on('error', reject);
      asked.end();
    });

  test('over TLS, by the names of the certificate and own addresses', async () => {
    const { url, pairingCode } = await start({ host: '0.0.0.0', ...CERTIFICATE });
    expect(pairingCode).toMatch(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/);
    expect(said.join()).not.toContain(pairingCode);
    const { hostname, port } = new URL(url);
    expect(hostname).toBe('192.168.7.2');
    const local = `https://127.0.0.1:${port}/`;
    for (const host of [`bench.local:${port}`, `192.168.7.2:${port}`, `127.0.0.1:${port}`]) {
      const { status, body } = await ask(local, host);
      expect(status).toBe(200);
      expect(body).toContain('"secureOrigin":true');
    }
    for (const host of [`evil.example:${port}`, 'bench.local', `192.168.7.3:${port}`]) {
      expect((await ask(local, host)).status).toBe(403);
    }
  });

  test('behind a proxy, by what browsers see of it', async () => {
    const { url, pairingCode } = await start({ behindProxy: 'https://bench.example' });
    expect(url).toBe('https://bench.example/');
    expect(pairingCode).toBeDefined();
  });
});

test.each([
  [{ system: 'linux', env: {} }, '/home/ann/.local/share/twostep'],
  [{ system: 'linux', env: { XDG_DATA_HOME: '/data' } }, '/data/twostep'],
  [{ system: 'darwin', env: {} }, '/home/ann/Library/Application Support/twostep'],
  [{ system: 'win32', env: { LOCALAPPDATA: '/local' } }, '/local/twostep'],
] as const)('the folder of a user: %o', (places, folderOf) => {
  expect(defaultDataFolder({ home: '/home/ann', ...places })).toBe(folderOf);
});
