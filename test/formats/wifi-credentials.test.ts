import { describe, expect, it } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import {
  checkWifiCredentials,
  findWifiCredentials,
  parseWifiStore,
  readWifiCredentials,
  wifiEntries,
  wifiPmk,
} from '#formats/nvs/wifi-credentials.ts';
import { nvsFixtureBytes } from './nvs-fixtures.ts';

const IDF = { kind: 'idf' } as const;
const OWN = { kind: 'namespace', namespace: 'net', ssidKey: 'name', passwordKey: 'secret' } as const;
const HOME = { ssid: 'Home', password: 'correct horse' };

const fixtureEntries = (name: string): NvsEntry[] => decodeNvs(nvsFixtureBytes(name)).entries;

function refusal(action: () => unknown): FormatError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/** The bytes of one entry of the driver's namespace. */
const driverBlob = (entries: NvsEntry[], key: string): Uint8Array => {
  const entry = entries.find((candidate) => candidate.namespace === 'nvs.net80211' && candidate.key === key);
  if (entry?.type !== 'blob') throw new Error(`no blob ${key}`);
  return entry.value;
};

describe('the pairwise master key', () => {
  it.each([
    // IEEE 802.11i-2004, H.4.3
    ['IEEE', 'password', 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e'],
    ['ThisIsASSID', 'ThisIsAPassword', '0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af'],
    ['Z'.repeat(32), 'a'.repeat(32), 'becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62'],
  ])('of the network %s is as published', (ssid, password, pmk) => {
    expect(toHex(wifiPmk(ssid, password))).toBe(pmk);
  });

  it('is what the partition generator puts at the end of ap.pmk_info', () => {
    const expected = driverBlob(fixtureEntries('wifi-idf-official.bin'), 'ap.pmk_info').subarray(100);
    expect(toHex(wifiPmk('TESTSSID', 'TESTPASSWORD'))).toBe(toHex(expected));
  });

  it('of an open network is zeros, and 64 hex digits are the key itself', () => {
    expect(toHex(wifiPmk('Guest', ''))).toBe('00'.repeat(32));
    expect(toHex(wifiPmk('Home', 'AB'.repeat(32)))).toBe('ab'.repeat(32));
  });
});

describe('credentials', () => {
  it.each(['', 'x'.repeat(33), 'ö'.repeat(17), 'a\0b'])('the network name %j is refused', (ssid) => {
    expect(refusal(() => checkWifiCredentials({ ssid, password: '' }))?.code).toBe('wifi-bad-ssid');
  });

  it.each(['1234567', 'x'.repeat(64), 'x'.repeat(65), 'ö'.repeat(32), 'secret\0secret', 'f'.repeat(63) + 'g'])(
    'the password %j is refused, and the error does not tell it',
    (password) => {
      const error = refusal(() => checkWifiCredentials({ ssid: 'Home', password }));
      expect(error?.code).toBe('wifi-bad-password');
      expect(error?.message).not.toContain(password);
    },
  );

  it.each(['', '12345678', 'x'.repeat(63), 'pässwört', '0'.repeat(64)])('the password %j is accepted', (password) => {
    expect(refusal(() => checkWifiCredentials({ ssid: 'ö'.repeat(16), password }))).toBeUndefined();
  });
});

describe('stores', () => {
  it('are none, idf, or a namespace and two keys', () => {
    expect(parseWifiStore('none')).toEqual({ kind: 'none' });
    expect(parseWifiStore('idf')).toEqual(IDF);
    expect(parseWifiStore('net:name:secret')).toEqual(OWN);
  });

  it.each(['', 'wifi', 'a:b', 'a:b:c:d', 'a::c', ':b:c', 'a:b:b', 'sixteen_letters_:b:c', 'a:b:sixteen_letters_'])(
    '%j is none',
    (text) => {
      expect(refusal(() => parseWifiStore(text))?.code).toBe('wifi-bad-store');
    },
  );
});

describe('entries for a firmware', () => {
  it('none are written for the store none', () => {
    expect(wifiEntries({ kind: 'none' }, HOME)).toEqual([]);
  });

  it('are strings in a namespace of the application, also for an empty password', () => {
    expect(wifiEntries(OWN, HOME)).toEqual([
      nvsString('net', 'name', 'Home'),
      nvsString('net', 'secret', 'correct horse'),
    ]);
    expect(wifiEntries(OWN, { ssid: 'Guest', password: '' })[1]).toEqual(nvsString('net', 'secret', ''));
  });

  it.each([
    ['v4.4.7', 65],
    ['v5.5.1-dirty', 65],
    ['esp-idf: v4.4.4 e8bdaf9198', 65],
    [undefined, 65],
    ['unknown', 65],
    ['v6.0', 64],
    ['6.1-beta1', 64],
    ['v10.0.1', 64],
  ])('the driver of ESP-IDF %s has a password field of %i bytes', (idfVersion, size) => {
    expect(driverBlob(wifiEntries(IDF, HOME, { idfVersion }), 'sta.pswd')).toHaveLength(size);
  });

  it('for the driver agree with those of Espressif’s test in name and password', () => {
    const theirs = fixtureEntries('wifi-idf-official.bin');
    const ours = wifiEntries(IDF, { ssid: 'TESTSSID', password: 'TESTPASSWORD' }, { idfVersion: 'v6.0' });
    for (const key of ['sta.ssid', 'sta.pswd']) expect(driverBlob(ours, key)).toEqual(driverBlob(theirs, key));
    const older = wifiEntries(IDF, { ssid: 'PlainSSID', password: 'hunter2hunter2' }, { idfVersion: 'v4.4' });
    const host = fixtureEntries('wifi-explicit-65.bin');
    for (const key of ['sta.ssid', 'sta.pswd']) expect(driverBlob(older, key)).toEqual(driverBlob(host, key));
  });

  it('for the driver are a station, any access point of the name, and the key', () => {
    const entries = wifiEntries(IDF, HOME);
    expect(driverBlob(entries, 'sta.pmk')).toEqual(wifiPmk('Home', 'correct horse'));
    const numbers = entries.filter(({ type }) => type === 'u8').map(({ key, value }) => [key, value]);
    expect(Object.fromEntries(numbers)).toEqual({ opmode: 1, 'sta.authmode': 0, 'sta.minauth': 0, 'bssid.set': 0 });
  });

  it('a key of 64 digits fills the password field', () => {
    const password = '0123456789abcdef'.repeat(4);
    for (const idfVersion of ['v5.1', 'v6.0']) {
      const entries = wifiEntries(IDF, { ssid: 'Home', password }, { idfVersion });
      expect(findWifiCredentials(entries, IDF)).toMatchObject({ password });
    }
  });

  it('are refused when no network could have them', () => {
    expect(refusal(() => wifiEntries(OWN, { ssid: 'Home', password: 'short' }))?.code).toBe('wifi-bad-password');
    expect(refusal(() => wifiEntries(IDF, { ssid: '', password: '' }))?.code).toBe('wifi-bad-ssid');
  });
});

describe('finding credentials', () => {
  it('finds what was written, through an image', () => {
    for (const store of [
      IDF,
      OWN,
      { kind: 'namespace', namespace: 'wifi', ssidKey: 'ssid', passwordKey: 'psk' } as const,
    ]) {
      for (const credentials of [HOME, { ssid: 'ö'.repeat(16), password: '' }]) {
        const { entries } = decodeNvs(encodeNvs(wifiEntries(store, credentials), 0x3000));
        expect(findWifiCredentials(entries, store)).toEqual({ ...credentials, store });
      }
    }
  });

  it.each([
    ['app-wifi-strings.bin', 'MyHomeNetwork', 'correct horse battery', 'namespace'],
    ['wifi-idf-official.bin', 'TESTSSID', 'TESTPASSWORD', 'idf'],
    ['wifi-open-network.bin', 'Guest', '', 'idf'],
    ['wifi-explicit-65.bin', 'PlainSSID', 'hunter2hunter2', 'idf'],
  ])('knows the usual places: %s', (image, ssid, password, kind) => {
    expect(findWifiCredentials(fixtureEntries(image))).toMatchObject({ ssid, password, store: { kind } });
  });

  it.each(['wifi', 'wifi_config', 'storage', 'my_app'])(
    'knows ssid with password, pass or psk in namespace %s',
    (namespace) => {
      for (const passwordKey of ['password', 'pass', 'psk']) {
        const entries = [nvsString(namespace, 'ssid', 'Home'), nvsString(namespace, passwordKey, 'correct horse')];
        expect(findWifiCredentials(entries)).toEqual({
          ...HOME,
          store: { kind: 'namespace', namespace, ssidKey: 'ssid', passwordKey },
        });
      }
    },
  );

  it('an application’s own count before the driver’s, and a store that is named before both', () => {
    const entries = [
      ...wifiEntries(IDF, { ssid: 'Driver', password: '' }),
      nvsString('wifi', 'ssid', 'App'),
      nvsString('wifi', 'pass', 'correct horse'),
      ...wifiEntries(OWN, { ssid: 'Named', password: '' }),
    ];
    expect(findWifiCredentials(entries)?.ssid).toBe('App');
    expect(findWifiCredentials(entries, IDF)?.ssid).toBe('Driver');
    expect(findWifiCredentials(entries, OWN)?.ssid).toBe('Named');
    expect(findWifiCredentials(entries, { kind: 'none' })).toBeUndefined();
  });

  it('finds none where there is no name, half of them, or something else under the keys', () => {
    expect(findWifiCredentials([])).toBeUndefined();
    expect(findWifiCredentials([nvsString('wifi', 'ssid', 'Home')])).toBeUndefined();
    expect(findWifiCredentials([nvsString('wifi', 'ssid', ''), nvsString('wifi', 'pass', '')])).toBeUndefined();
    const number: NvsEntry = { namespace: 'wifi', key: 'ssid', type: 'u8', value: 1 };
    expect(findWifiCredentials([number, nvsString('wifi', 'pass', 'x')])).toBeUndefined();
    for (const value of [new Uint8Array(3), new Uint8Array(36)]) {
      expect(
        findWifiCredentials([{ namespace: 'nvs.net80211', key: 'sta.ssid', type: 'blob', value }]),
      ).toBeUndefined();
    }
  });

  it('a name length beyond the field is cut to the field', () => {
    const value = new Uint8Array(36).fill(0x41);
    expect(findWifiCredentials([{ namespace: 'nvs.net80211', key: 'sta.ssid', type: 'blob', value }])?.ssid).toBe(
      'A'.repeat(32),
    );
  });

  it('the summary for people has no password', () => {
    expect(readWifiCredentials(wifiEntries(OWN, HOME), OWN)).toEqual({ ssid: 'Home', hasPassword: true, store: OWN });
    expect(readWifiCredentials(fixtureEntries('wifi-open-network.bin'))).toEqual({
      ssid: 'Guest',
      hasPassword: false,
      store: IDF,
    });
    expect(readWifiCredentials([])).toBeUndefined();
  });
});
