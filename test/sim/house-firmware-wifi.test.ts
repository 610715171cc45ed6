import { describe, expect, test } from 'vitest';
import { nvsString } from '#formats/nvs/nvs.ts';
import { wifiEntries, wifiPmk } from '#formats/nvs/wifi-credentials.ts';
import { appFor } from './support/boot-flash.ts';
import { bootHouse, credentials, NETWORK, nvsWith, PASSWORD, SSID } from './support/house-board.ts';

describe('Wi-Fi', () => {
  test('a wrong password: five tries with reason 15, then it gives up', async () => {
    const { state, lines, bench } = await bootHouse({ content: { nvs: credentials('not the right one') } });
    expect(state).toMatchObject({ phase: 'offline', wifiReason: 15 });
    expect(lines.filter((line) => line === 'I wifi: state: run -> init (0xf00)')).toHaveLength(5);
    expect(lines).toContain('W wifi station: disconnected, reason: 15 (4WAY_HANDSHAKE_TIMEOUT)');
    expect(bench.output).not.toContain('got ip');
  });

  test.each([
    { what: 'no access point at all', network: {}, password: PASSWORD, reason: 201 },
    {
      what: 'another network',
      network: { accessPoint: { ssid: 'Other', password: PASSWORD } },
      password: PASSWORD,
      reason: 201,
    },
    { what: 'a secured network and no password', network: NETWORK, password: '', reason: 210 },
    {
      what: 'an open network and a password',
      network: { accessPoint: { ssid: SSID, password: '' } },
      password: PASSWORD,
      reason: 211,
    },
  ])('$what ends with reason $reason', async ({ network, password, reason }) => {
    const { state, lines } = await bootHouse({ content: { nvs: credentials(password) }, network });
    expect(state).toMatchObject({ phase: 'offline', wifiReason: reason });
    expect(lines.some((line) => line.startsWith(`W wifi station: disconnected, reason: ${reason} (`))).toBe(true);
  });

  test('an open network is joined without a password', async () => {
    const { state } = await bootHouse({
      content: { nvs: credentials('') },
      network: { accessPoint: { ssid: SSID, password: '' } },
    });
    expect(state.phase).toBe('online');
  });

  test('the 64 digits of the key do as well as the password', async () => {
    const key = Array.from(wifiPmk(SSID, PASSWORD), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const { state } = await bootHouse({ content: { nvs: credentials(key) } });
    expect(state.phase).toBe('online');
  });

  test.each([
    { app: 'v5.4.2', entries: 'v5.4.2', phase: 'online' },
    { app: 'v6.0', entries: 'v6.0', phase: 'online' },
    { app: 'v5.4.2', entries: 'v6.0', phase: 'online' },
    // Version 6 reads the password into 64 bytes; a blob of 65 does not fit.
    { app: 'v6.0', entries: 'v5.4.2', phase: 'offline' },
  ])("an app of ESP-IDF $app with the driver's entries as for $entries is $phase", async ({ app, entries, phase }) => {
    const nvs = nvsWith(wifiEntries({ kind: 'idf' }, { ssid: SSID, password: PASSWORD }, { idfVersion: entries }));
    const { state } = await bootHouse({ content: { ota_0: appFor('esp32', { idf: app }), nvs } });
    expect(state).toMatchObject({ phase, credentialsFrom: 'nvs.net80211' });
  });

  test('other namespaces and keys are found too', async () => {
    const nvs = nvsWith([
      nvsString('settings', 'name', 'bench 4'),
      nvsString('net', 'wifi_ssid', SSID),
      nvsString('net', 'wifi_pwd', PASSWORD),
    ]);
    expect((await bootHouse({ content: { nvs } })).state).toMatchObject({ phase: 'online', credentialsFrom: 'net' });
  });

  test('without credentials it says so and stays off the network', async () => {
    const { state, lines } = await bootHouse();
    expect(state.phase).toBe('no-credentials');
    expect(lines.at(-1)).toBe('W house: no Wi-Fi credentials in NVS: staying off the network');
  });

  test('the password is never printed', async () => {
    for (const password of [PASSWORD, 'wrong horse']) {
      const { bench } = await bootHouse({ content: { nvs: credentials(password) } });
      expect(bench.output).not.toContain(password);
    }
  });
});
