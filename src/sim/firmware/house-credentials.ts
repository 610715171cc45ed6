/**
 * Where the house firmware looks for its Wi-Fi credentials: in a namespace of its own, as most apps keep them, else
 * where ESP-IDF's Wi-Fi driver keeps them (namespace `nvs.net80211`; layout by public dumps of devices).
 */
import { readU32, textUntilNul } from '#formats/bytes.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';

export interface HouseCredentials {
  ssid: string;
  /** Empty for an open network. */
  password: string;
  /** Namespace they come from. */
  namespace: string;
}

export interface CredentialKeys {
  namespace: string;
  ssidKey: string;
  passwordKey: string;
}

const DRIVER_NAMESPACE = 'nvs.net80211';
const SSID_KEY = /ssid/i;
const PASSWORD_KEY = /pass|psk|pwd|pswd/i;
const SSID_SIZE = 32;

/** `keys`: the namespace and keys that this firmware was written for; without them any sensible ones are taken. */
export function findCredentials(
  entries: readonly NvsEntry[],
  { keys, idfVersion }: { keys?: CredentialKeys | undefined; idfVersion?: string | undefined } = {},
): HouseCredentials | undefined {
  if (keys) return fromKeys(entries, keys);
  const namespaces = new Set(entries.map(({ namespace }) => namespace));
  for (const namespace of namespaces) {
    if (namespace === DRIVER_NAMESPACE) continue;
    const inside = entries.filter((entry) => entry.namespace === namespace);
    const ssidKey = inside.find(({ key }) => SSID_KEY.test(key))?.key;
    const passwordKey = inside.find(({ key }) => PASSWORD_KEY.test(key))?.key ?? '';
    const found = ssidKey === undefined ? undefined : fromKeys(entries, { namespace, ssidKey, passwordKey });
    if (found) return found;
  }
  return fromDriver(entries, idfVersion);
}

function fromKeys(entries: readonly NvsEntry[], { namespace, ssidKey, passwordKey }: CredentialKeys) {
  const ssid = text(bytesOf(entries, namespace, ssidKey));
  if (!ssid) return undefined;
  return { ssid, password: text(bytesOf(entries, namespace, passwordKey)) ?? '', namespace };
}

function fromDriver(entries: readonly NvsEntry[], idfVersion: string | undefined): HouseCredentials | undefined {
  const stored = bytesOf(entries, DRIVER_NAMESPACE, 'sta.ssid');
  if (stored?.length !== SSID_SIZE + 4) return undefined;
  const length = Math.min(readU32(stored, 0), SSID_SIZE);
  if (length === 0) return undefined;
  const ssid = new TextDecoder().decode(stored.subarray(4, 4 + length));
  // Reading a blob into a buffer that is too small fails; the driver then goes on without a password.
  const room = Number(/^v?(\d+)/.exec(idfVersion ?? '')?.[1] ?? 5) >= 6 ? 64 : 65;
  const password = bytesOf(entries, DRIVER_NAMESPACE, 'sta.pswd');
  return {
    ssid,
    password: password && password.length <= room ? textUntilNul(password) : '',
    namespace: DRIVER_NAMESPACE,
  };
}

function bytesOf(entries: readonly NvsEntry[], namespace: string, key: string): Uint8Array | undefined {
  const entry = entries.find((candidate) => candidate.namespace === namespace && candidate.key === key);
  return entry?.value instanceof Uint8Array ? entry.value : undefined;
}

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && textUntilNul(bytes);
