import { gainText, noticesAt, verdictText, writesText } from '#app/screens/Provision/plan-words.ts';
import { rateText, secondsText } from '#messages/units.ts';
import { bridgeName } from '#app/ports/bridge-names.ts';
import { portHint } from '#app/ports/port-hints.ts';
import { platformText, serialAbility, systemOf } from '#app/ports/browser-abilities.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { expect, test } from 'vitest';
import { makeRelease } from '../../support/releases.ts';
import { readBoard, TWO_SLOTS } from '../../workflows/boards.ts';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

test('the gain is the room of both slots against that of the smaller one', async () => {
  const plan = planProvision(makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }), await readBoard());
  expect(gainText(plan)).toMatch(/1 MiB .* 2 MiB/);
  expect(gainText({ ...plan, roles: { app: TWO_SLOTS[3]!, swapped: false } })).toBeUndefined();
});

test('seconds and rates are read, not admired', () => {
  expect([secondsText(0.2), secondsText(12.4), secondsText(80)]).toEqual(['1 s', '12 s', '1 min 20 s']);
  expect(rateText(86_016)).toBe('84 KiB/s');
});

test('what has to be sent is said once it is known', () => {
  const MIB = 0x10_0000;
  expect([undefined, 0, MIB, 2 * MIB].map((toSend) => writesText(2 * MIB, toSend))).toEqual([
    '2 MiB',
    'nothing: the board holds all 2 MiB of it already',
    '2 MiB, 1 MiB to send',
    '2 MiB, all to send',
  ]);
});

test('a notice stands at the card of its subject', () => {
  const notices = [
    { code: 'a', subject: 'app', values: {} },
    { code: 'b', subject: 'nvs', values: {} },
  ] as const;
  expect(noticesAt(notices, 'release').map(({ code }) => code)).toEqual(['a']);
  expect(noticesAt(notices, 'wifi').map(({ code }) => code)).toEqual(['b']);
});

test('the verdict names version, network and address', () => {
  expect(verdictText({ by: 'loaded-app', address: '192.168.1.57' }, undefined, '2.4.0')).toBe(
    'Running 2.4.0, on the network as 192.168.1.57',
  );
});

test.each([
  [{ usbVendorId: 0x10c4, usbProductId: 0xea60 }, 'CP2102 bridge'],
  [{ usbVendorId: 0x1a86, usbProductId: 0x1234 }, 'CH340 bridge'],
  [{ usbVendorId: 0x303a, usbProductId: 0x1001 }, 'ESP32 USB (Serial/JTAG)'],
  [{ usbVendorId: 0x1234, usbProductId: 0xab }, 'USB serial port 1234:00ab'],
  [{}, 'Serial port'],
])('the port %o is called %s', (info, name) => {
  expect(bridgeName(info)).toBe(name);
});

test.each([
  ['Chrome on this machine', { userAgent: CHROME, isSecure: true, hasSerial: true }, 'ready'],
  ['Chrome over plain http', { userAgent: CHROME, isSecure: false, hasSerial: false }, 'insecure'],
  [
    'Firefox',
    { userAgent: 'Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.0', isSecure: true, hasSerial: false },
    'missing',
  ],
  [
    'a phone',
    { userAgent: 'Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile', isSecure: true, hasSerial: true },
    'phone',
  ],
] as const)('%s', (_name, facts, ability) => {
  expect(serialAbility(facts)).toBe(ability);
});

test('systems are told apart', () => {
  const agents = {
    windows: '(Windows NT 10.0; Win64)',
    mac: '(Macintosh; Intel Mac OS X)',
    linux: '(X11; Linux x86_64)',
    chromeos: '(X11; CrOS x86_64)',
    android: '(Linux; Android 15)',
    ios: '(iPhone; CPU iPhone OS 18 like Mac OS X)',
  };
  for (const [system, userAgent] of Object.entries(agents)) expect(systemOf({ userAgent })).toBe(system);
});

test.each([
  ['(X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36', 'Chrome 140 on linux'],
  ['(Windows NT 10.0; Win64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge 140 on windows'],
  ['something else', 'a browser on other'],
])('%s is %s', (userAgent, text) => {
  expect(platformText({ userAgent })).toBe(text);
});

test('a port that does not open is explained for the operating system, one that was pulled needs no such words', () => {
  const hints = (['windows', 'mac', 'linux', 'chromeos'] as const).map((system) =>
    portHint('port-in-use-or-missing', system),
  );
  expect(new Set(hints.filter((hint) => hint !== undefined)).size).toBe(4);
  expect(portHint('port-in-use-or-missing', 'linux')).toContain('dialout');
  expect(portHint('port-no-permission', 'other')).toContain('chrome://');
  expect(portHint('port-lost', 'linux')).toBeUndefined();
});
