/**
 * Wi-Fi credentials in NVS: in the driver's own namespace, or under keys of the application.
 *
 * The driver (libnet80211 of ESP-IDF) is closed. Its keys and sizes are those of ESP-IDF's
 * components/esp_wifi/test_apps/wifi_nvs_config/nvs_data.csv, of the host test of nvs_flash, and of dumps of devices.
 */
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { fromHex, padBytes, readU32, writeU32 } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { NVS_KEY_MAX_LENGTH, nvsString, nvsText, type NvsEntry } from './nvs.ts';

export interface WifiCredentials {
  /** 1 to 32 bytes of UTF-8. */
  ssid: string;
  /** 8 to 63 bytes of UTF-8, or 64 hex digits that are the key itself; empty for an open network. */
  password: string;
}

/** Where the firmware looks for its credentials. */
export type WifiStore =
  /** Nowhere in NVS. */
  | { kind: 'none' }
  /** The Wi-Fi driver's own namespace `nvs.net80211`. */
  | { kind: 'idf' }
  /** Strings in a namespace of the application. */
  | { kind: 'namespace'; namespace: string; ssidKey: string; passwordKey: string };

export interface FoundWifiCredentials extends WifiCredentials {
  store: WifiStore;
}

/** What may be shown: that there is a password, not which. */
export interface WifiSummary {
  ssid: string;
  hasPassword: boolean;
  store: WifiStore;
}

const DRIVER_NAMESPACE = 'nvs.net80211';
const SSID_MAX_LENGTH = 32;
const PSK_DIGITS = /^[0-9a-f]{64}$/i;
const UTF8 = new TextEncoder();

/** Conventions of applications, the more usual first. Other namespaces count too, after these. */
const USUAL_NAMESPACES = ['wifi', 'wifi_config', 'storage'];
const USUAL_SSID_KEY = 'ssid';
const USUAL_PASSWORD_KEYS = ['password', 'pass', 'psk'];

/**
 * Refuses what no access point could have.
 *
 * @throws {FormatError} `wifi-bad-ssid`, `wifi-bad-password`. The message never holds the password.
 */
export function checkWifiCredentials({ ssid, password }: WifiCredentials): void {
  const ssidLength = UTF8.encode(ssid).length;
  if (ssidLength < 1 || ssidLength > SSID_MAX_LENGTH || ssid.includes('\0')) {
    throw new FormatError(
      'wifi-bad-ssid',
      `A network name has 1 to ${SSID_MAX_LENGTH} bytes and no NUL, this has ${ssidLength}`,
    );
  }
  const { length } = UTF8.encode(password);
  const isPassphrase = length >= 8 && length <= 63 && !password.includes('\0');
  if (length === 0 || isPassphrase || PSK_DIGITS.test(password)) return;
  const rule = 'A Wi-Fi password has 8 to 63 bytes, or is a key of 64 hex digits, or is empty for an open network';
  throw new FormatError('wifi-bad-password', `${rule}; this has ${length} bytes`);
}

/**
 * The pairwise master key, 32 bytes: PBKDF2-HMAC-SHA1(password, ssid, 4096 rounds) of WPA2 (IEEE 802.11i, annex H.4).
 * 64 hex digits are the key itself; without a password it is all zeros, as the driver stores it.
 *
 * @throws {FormatError} as `checkWifiCredentials`.
 */
export function wifiPmk(ssid: string, password: string): Uint8Array {
  checkWifiCredentials({ ssid, password });
  if (password === '') return new Uint8Array(32);
  if (PSK_DIGITS.test(password)) return fromHex(password);
  return passphraseKey(ssid, password);
}

/** The key that follows from a network name and a passphrase, whatever their lengths. */
export const passphraseKey = (ssid: string, passphrase: string): Uint8Array =>
  pbkdf2(sha1, UTF8.encode(passphrase), UTF8.encode(ssid), { c: 4096, dkLen: 32 });

/**
 * `none`, `idf`, or `NAMESPACE:SSIDKEY:PASSWORDKEY`.
 *
 * @throws {FormatError} `wifi-bad-store`.
 */
export function parseWifiStore(text: string): WifiStore {
  if (text === 'none' || text === 'idf') return { kind: text };
  const parts = text.split(':');
  const [namespace = '', ssidKey = '', passwordKey = ''] = parts;
  const fits = parts.every((part) => part.length > 0 && UTF8.encode(part).length <= NVS_KEY_MAX_LENGTH);
  if (parts.length !== 3 || !fits || ssidKey === passwordKey) {
    const rule = `none, idf, or NAMESPACE:SSIDKEY:PASSWORDKEY with 1 to ${NVS_KEY_MAX_LENGTH} bytes each`;
    throw new FormatError('wifi-bad-store', `${JSON.stringify(text)} is not ${rule}`);
  }
  return { kind: 'namespace', namespace, ssidKey, passwordKey };
}

/** The text that `parseWifiStore` reads. */
export const wifiStoreText = (store: WifiStore): string =>
  store.kind === 'namespace' ? [store.namespace, store.ssidKey, store.passwordKey].join(':') : store.kind;

/**
 * The entries that bring a firmware onto a network, to be set in its NVS; none for the store `none`.
 *
 * @param options.idfVersion of the app's description (`v5.1.2`, `6.0-dev`). The driver's password field has 65 bytes
 *   before ESP-IDF 6.0 and 64 from then on; an unknown version counts as before.
 * @throws {FormatError} as `checkWifiCredentials`.
 */
export function wifiEntries(
  store: WifiStore,
  credentials: WifiCredentials,
  { idfVersion }: { idfVersion?: string | undefined } = {},
): NvsEntry[] {
  checkWifiCredentials(credentials);
  const { ssid, password } = credentials;
  switch (store.kind) {
    case 'none':
      return [];
    case 'idf':
      return driverEntries(credentials, passwordFieldSize(idfVersion));
    case 'namespace':
      return [nvsString(store.namespace, store.ssidKey, ssid), nvsString(store.namespace, store.passwordKey, password)];
  }
}

function passwordFieldSize(idfVersion: string | undefined): 64 | 65 {
  const major = /(\d+)\.\d/.exec(idfVersion ?? '')?.[1];
  return Number(major ?? 0) >= 6 ? 64 : 65;
}

function driverEntries({ ssid, password }: WifiCredentials, passwordSize: 64 | 65): NvsEntry[] {
  const number = (key: string, value: number): NvsEntry => ({ namespace: DRIVER_NAMESPACE, key, type: 'u8', value });
  const blob = (key: string, value: Uint8Array): NvsEntry => ({
    namespace: DRIVER_NAMESPACE,
    key,
    type: 'blob',
    value,
  });
  const name = UTF8.encode(ssid);
  const nameField = new Uint8Array(4 + SSID_MAX_LENGTH);
  writeU32(nameField, 0, name.length);
  nameField.set(name, 4);
  return [
    number('opmode', 1), // station
    blob('sta.ssid', nameField),
    number('sta.authmode', 0), // any
    blob('sta.pswd', padBytes(UTF8.encode(password), passwordSize, 0)),
    blob('sta.pmk', wifiPmk(ssid, password)),
    number('sta.minauth', 0), // no lower limit
    number('bssid.set', 0), // any access point of that name
  ];
}

/**
 * The credentials that a firmware would find.
 *
 * @param store where to look. Without it: the namespaces of applications by the usual key names (`ssid` with `password`,
 *   `pass` or `psk`), then the driver's; an application that keeps its own hands them to the driver, so they count first.
 */
export function findWifiCredentials(entries: readonly NvsEntry[], store?: WifiStore): FoundWifiCredentials | undefined {
  if (store) return readStore(entries, store);
  const others = entries.map(({ namespace }) => namespace).filter((name) => name !== DRIVER_NAMESPACE);
  for (const namespace of new Set([...USUAL_NAMESPACES, ...others])) {
    for (const passwordKey of USUAL_PASSWORD_KEYS) {
      const found = readStore(entries, { kind: 'namespace', namespace, ssidKey: USUAL_SSID_KEY, passwordKey });
      if (found) return found;
    }
  }
  return readStore(entries, { kind: 'idf' });
}

/** As `findWifiCredentials`, without the password. */
export function readWifiCredentials(entries: readonly NvsEntry[], store?: WifiStore): WifiSummary | undefined {
  const found = findWifiCredentials(entries, store);
  return found && { ssid: found.ssid, hasPassword: found.password !== '', store: found.store };
}

function readStore(entries: readonly NvsEntry[], store: WifiStore): FoundWifiCredentials | undefined {
  if (store.kind === 'none') return undefined;
  const isDriver = store.kind === 'idf';
  const text = (namespace: string, key: string): string | undefined => {
    const entry = entries.find((candidate) => candidate.namespace === namespace && candidate.key === key);
    return entry?.type === 'string' || entry?.type === 'blob' ? nvsText(entry) : undefined;
  };
  const ssid = isDriver ? driverSsid(entries) : text(store.namespace, store.ssidKey);
  const password = isDriver ? (text(DRIVER_NAMESPACE, 'sta.pswd') ?? '') : text(store.namespace, store.passwordKey);
  return ssid && password !== undefined ? { ssid, password, store } : undefined;
}

/** The name in `sta.ssid`: a 32-bit length and 32 bytes. */
function driverSsid(entries: readonly NvsEntry[]): string | undefined {
  const entry = entries.find(({ namespace, key }) => namespace === DRIVER_NAMESPACE && key === 'sta.ssid');
  if (entry?.type !== 'blob' || entry.value.length < 4 + SSID_MAX_LENGTH) return undefined;
  const length = Math.min(readU32(entry.value, 0), SSID_MAX_LENGTH);
  return nvsText({ ...entry, value: entry.value.subarray(4, 4 + length) });
}
