import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StationInfo } from '#api.ts';
import { ModelClock } from '#model-clock.ts';
import { askerOf, type Door } from '../../src/station/security/own-hosts.ts';
import { newPairingCode, Pairing } from '../../src/station/security/pairing.ts';
import { type Method, StationRig } from './support/station-rig.ts';

describe('on this computer', () => {
  let rig: StationRig;
  beforeEach(async () => {
    rig = await StationRig.start();
  });
  afterEach(() => rig.end());

  const CHANGES: [Method, string, unknown?][] = [
    ['POST', '/api/boards', { address: '192.168.7.50' }],
    ['POST', '/api/boards/search', { how: 'mdns' }],
    ['POST', '/api/boards/provisioned', {}],
    ['PATCH', '/api/boards/x', { name: 'x' }],
    ['DELETE', '/api/boards/x'],
    ['POST', '/api/boards/x/look'],
    ['POST', '/api/releases?name=x.zip', new Uint8Array(3)],
    ['DELETE', '/api/releases/x'],
    ['POST', '/api/updates/plan', {}],
    ['POST', '/api/updates', {}],
    ['POST', '/api/updates/x/decision', { picked: '192.168.7.50' }],
    ['POST', '/api/updates/x/stop'],
    ['POST', '/api/boards-listener', { open: true }],
  ];
  const READS: [Method, string][] = [
    ['GET', '/api/boards'],
    ['GET', '/api/releases'],
    ['GET', '/api/updates'],
    ['GET', '/api/updates/x'],
    ['GET', '/api/updates/x/journal'],
    ['GET', '/api/events'],
  ];

  test.each([...CHANGES, ...READS])('%s %s needs a session', async (method, url, body) => {
    expect(await rig.ask(method, url, { body })).toMatchObject({ status: 401, body: { error: 'session-needed' } });
    const cookie = 'twostep_80=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    expect((await rig.ask(method, url, { body, headers: { cookie } })).status).toBe(401);
  });

  test.each(CHANGES)('%s %s is refused from another site, also with a session', async (method, url, body) => {
    await rig.session();
    for (const headers of [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'https://localhost' },
      { origin: 'http://localhost:81' },
      { origin: '' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ] as Record<string, string>[]) {
      expect(await rig.ask(method, url, { body, headers })).toMatchObject({
        status: 403,
        body: { error: 'wrong-origin' },
      });
    }
    expect((await rig.ask(method, url, { body, bare: true })).status).toBe(403);
  });

  test('no other site gets a session', async () => {
    const answer = await rig.ask('POST', '/api/session', { headers: { origin: 'http://evil.example' } });
    expect(answer.status).toBe(403);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect((await rig.ask('POST', '/api/session', { bare: true })).status).toBe(403);
  });

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1:81', '192.168.7.2', 'localhost@evil.example'])(
    'who asks for the host "%s" is refused, also for the page',
    async (host) => {
      for (const url of ['/api/station', '/', '/index.html']) {
        expect((await rig.ask('GET', url, { headers: { host } })).status).toBe(403);
      }
    },
  );

  test.each(['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'])(
    'what a proxy that nobody told of passes on (%s) gets no session without the code',
    async (header) => {
      const answer = await rig.ask('POST', '/api/session', { headers: { [header]: '203.0.113.9' } });
      expect(answer).toMatchObject({ status: 401, body: { error: 'session-needed' } });
      const info = await rig.ask<StationInfo>('GET', '/api/station', { headers: { [header]: '203.0.113.9' } });
      expect(info.body.session).toBe('pair');
    },
  );

  test('the cookie is for the station alone, and nobody can read it there', async () => {
    const { headers } = await rig.ask('POST', '/api/session');
    expect(headers['set-cookie']).toMatch(
      /^twostep_80=[\w-]{43}; Path=\/; Max-Age=7776000; HttpOnly; SameSite=Strict$/,
    );
    expect(headers['cache-control']).toBe('no-store');
  });

  test('a session holds over a restart, and ends when it was not used for long', async () => {
    await rig.session();
    await rig.station.close();
    await rig.open();
    expect((await rig.ask('GET', '/api/boards')).status).toBe(200);
    await rig.clock.advance(89 * 24 * 3600_000);
    expect((await rig.ask('GET', '/api/boards')).status).toBe(200);
    await rig.clock.advance(89 * 24 * 3600_000);
    expect((await rig.ask('GET', '/api/boards')).status).toBe(200);
    await rig.clock.advance(91 * 24 * 3600_000);
    expect((await rig.ask('GET', '/api/boards')).status).toBe(401);
  });

  test('what the station is, and that nobody is asked for a code here', async () => {
    expect((await rig.ask<StationInfo>('GET', '/api/station')).body).toMatchObject({
      version: '9.9.9',
      session: 'ask',
      secureOrigin: true,
      boardsListener: { state: 'closed' },
    });
    await rig.session();
    expect((await rig.ask<StationInfo>('GET', '/api/station')).body.session).toBe('open');
    expect((await rig.ask('POST', '/api/session')).headers['set-cookie']).toBeUndefined();
  });

  test('every answer says what it may be taken for', async () => {
    for (const url of ['/api/station', '/api/nothing', '/nothing', '/api/boards']) {
      const { headers } = await rig.ask('GET', url);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['content-security-policy']).toContain(`default-src 'self'`);
      expect(headers['content-security-policy']).toContain(`frame-ancestors 'self'`);
    }
  });

  test('the policy is for the origin that was asked for', async () => {
    const { body, headers } = await rig.ask('GET', '/api/policy', { bare: true });
    expect(body).toEqual({ OverrideSecurityRestrictionsOnInsecureOrigin: ['http://localhost'] });
    expect(headers['content-disposition']).toContain('attachment');
  });

  test.each([
    ['no JSON', '{"address":'],
    ['another type of JSON', '[]'],
    ['a number', '7'],
    ['null', 'null'],
    ['keys that nobody asked for', '{"address":"192.168.7.50","x":1}'],
    ['a prototype', '{"address":"192.168.7.50","__proto__":{"a":1}}'],
    ['a name', '{"address":"localhost"}'],
    ['an address with more', '{"address":"192.168.7.50/ota"}'],
  ])('a body that is %s is refused', async (_what, payload) => {
    await rig.session();
    const { headers } = await rig.ask('POST', '/api/session', { headers: { cookie: '' } });
    const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
    const own = { host: 'localhost', origin: 'http://localhost', cookie };
    const send = (type: string) =>
      rig.station.server.inject({
        method: 'POST',
        url: '/api/boards',
        payload,
        headers: { ...own, 'content-type': type },
      });
    const answer = await send('application/json');
    expect([answer.statusCode, answer.json<{ error: string }>().error]).toEqual([400, 'bad-request']);
    // What a form of another site could send is not even read.
    expect((await send('text/plain')).statusCode).toBe(400);
  });

  test('a body that is too large is refused', async () => {
    await rig.session();
    const answer = await rig.ask('POST', '/api/boards', { body: { address: 'x'.repeat(1_100_000) } });
    expect(answer).toMatchObject({ status: 413, body: { error: 'too-large' } });
  });

  test.each([
    '/../station.sqlite',
    '/%2e%2e/station.sqlite',
    '/..%2fstation.sqlite',
    '/api/releases/..%2f..%2fstation.sqlite',
    '/%00',
  ])('no path leads out: %s', async (url) => {
    await rig.session();
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await rig.ask(method, url)).status).toBeGreaterThanOrEqual(400);
    }
    expect((await rig.ask('GET', '/api/releases')).status).toBe(200);
  });

  test('other spellings of a path need a session too', async () => {
    for (const url of ['/%61pi/boards', '/api/%62oards', '/api/boards?x', '/api/station/../boards']) {
      expect((await rig.ask('GET', url)).status).toBeGreaterThanOrEqual(401);
    }
  });
});

describe('beyond this computer', () => {
  let rig: StationRig;
  beforeEach(async () => {
    rig = await StationRig.start({ door: { host: '127.0.0.1', proxyOrigin: 'https://bench.example' } });
  });
  afterEach(() => rig.end());

  const FORWARDED = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'bench.example',
    origin: 'https://bench.example',
  };

  test('a session is had with the code only, once for each browser', async () => {
    expect((await rig.ask<StationInfo>('GET', '/api/station', { headers: FORWARDED })).body).toMatchObject({
      session: 'pair',
      secureOrigin: true,
    });
    expect((await rig.ask('POST', '/api/session', { headers: FORWARDED })).status).toBe(401);
    const body = { code: rig.station.pairingCode.toLowerCase().replace('-', ' ') };
    const paired = await rig.ask('POST', '/api/pairing', { body, headers: FORWARDED });
    expect(paired.status).toBe(204);
    expect(paired.headers['set-cookie']).toMatch(/; Secure$/);
    const cookie = String(paired.headers['set-cookie']).split(';')[0] ?? '';
    expect((await rig.ask('GET', '/api/boards', { headers: { ...FORWARDED, cookie } })).status).toBe(200);
  });

  test('what comes past the proxy is not from this computer either', async () => {
    expect((await rig.ask('POST', '/api/session')).status).toBe(401);
  });

  test.each([
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'http' },
    { 'x-forwarded-host': 'bench.example, evil.example' },
    { 'x-forwarded-proto': '' },
  ] as Record<string, string>[])('a proxy that says something else is not believed: %o', async (headers) => {
    expect((await rig.ask('GET', '/api/station', { headers: { ...FORWARDED, ...headers } })).status).toBe(403);
  });

  test('guesses cost more and more time', async () => {
    const guess = async (code: string) =>
      (await rig.ask('POST', '/api/pairing', { body: { code }, headers: FORWARDED })).body;
    for (let time = 0; time < 3; time++) expect(await guess('AAAA-AAAA')).toMatchObject({ error: 'pairing-wrong' });
    expect(await guess(rig.station.pairingCode)).toMatchObject({ error: 'pairing-locked', detail: '5 s' });
    await rig.clock.advance(5000);
    expect(await guess('AAAA-AAAA')).toMatchObject({ error: 'pairing-wrong' });
    await rig.clock.advance(9000);
    expect(await guess(rig.station.pairingCode)).toMatchObject({ error: 'pairing-locked' });
    await rig.clock.advance(1000);
    expect(await guess(rig.station.pairingCode)).toBe('');
  });

  test('the code stands nowhere but where it is meant to be', () => {
    expect(JSON.stringify(rig.said)).not.toContain(rig.station.pairingCode);
  });
});

test('whoever guesses all day gets no further than a few dozen codes', async () => {
  const clock = new ModelClock();
  const pairing = new Pairing(newPairingCode(), clock);
  let guesses = 0;
  for (let minute = 0; minute < 24 * 60; minute++) {
    try {
      pairing.check('AAAAAAAA');
    } catch (error) {
      if ((error as { code: string }).code === 'pairing-wrong') guesses++;
    }
    await clock.advance(60_000);
  }
  expect(guesses).toBeLessThan(40);
});

test('codes are eight letters that nobody takes for others, new each time', () => {
  const codes = Array.from({ length: 50 }, newPairingCode);
  for (const code of codes) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}$/);
  expect(new Set(codes).size).toBe(50);
});

describe('by which host the station may be asked for', () => {
  const door = (change: Partial<Door>): Door => ({
    host: '127.0.0.1',
    port: () => 4600,
    ownAddresses: () => ['192.168.7.2'],
    ...change,
  });
  const ask = (
    host: string,
    {
      change = {},
      remoteAddress = '127.0.0.1',
      tls = false,
    }: { change?: Partial<Door>; remoteAddress?: string; tls?: boolean },
  ) => askerOf({ headers: { host }, socket: { remoteAddress, encrypted: tls } } as never, door(change));

  test.each([
    { host: '127.0.0.1:4600', expected: { origin: 'http://127.0.0.1:4600', local: true, secure: true } },
    { host: 'LOCALHOST:4600', expected: { origin: 'http://localhost:4600', local: true, secure: true } },
    { host: '[::1]:4600', expected: { origin: 'http://[::1]:4600', local: true, secure: true } },
    { host: 'localhost', expected: undefined },
    { host: '192.168.7.2:4600', expected: undefined },
    {
      host: '192.168.7.2:4600',
      change: { host: '0.0.0.0' },
      tls: true,
      remoteAddress: '192.168.7.9',
      expected: { origin: 'https://192.168.7.2:4600', local: false, secure: true },
    },
    { host: '192.168.7.3:4600', change: { host: '0.0.0.0' }, tls: true, expected: undefined },
    { host: '0.0.0.0:4600', change: { host: '0.0.0.0' }, expected: undefined },
    {
      host: '192.168.7.2:4600',
      change: { host: '192.168.7.2' },
      tls: true,
      expected: { origin: 'https://192.168.7.2:4600', local: true, secure: true },
    },
    { host: 'localhost:4600', change: { host: '192.168.7.2' }, tls: true, expected: undefined },
    {
      host: 'bench.local:4600',
      change: { host: '0.0.0.0', isCertified: (name: string) => name === 'bench.local' },
      tls: true,
      expected: { origin: 'https://bench.local:4600', local: true, secure: true },
    },
    { host: 'bench.local:4600', change: { isCertified: () => true }, expected: undefined },
  ])('$host', ({ host, expected, ...rest }) => {
    expect(ask(host, rest)).toEqual(expected);
  });
});
