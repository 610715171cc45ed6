/**
 * The entries that nvs_partition_gen.py 0.2.0 adds by itself for the Wi-Fi driver, whatever the namespace.
 *
 * After the first `sta.ssid` or `sta.pswd`: an empty list of remembered access points and two fields of zeros. Before the
 * row that completes `ap.ssid`, `ap.passwd` and an `ap.authmode` other than 0: the key that follows from the first two.
 * (Of a `file` row for the station the tool writes the path; here the file is read, as for any other key.)
 */
import { concatBytes } from '../bytes.ts';
import { type NvsEntry } from './nvs.ts';
import { passphraseKey } from './wifi-credentials.ts';

/** A row as far as these rules look at it: the text of its value, however it is encoded. */
export interface WifiRow {
  namespace: string;
  key: string;
  value: string | undefined;
}

const AP_KEYS: ReadonlySet<string> = new Set(['ap.ssid', 'ap.passwd', 'ap.authmode']);
const STATION_KEYS: ReadonlySet<string> = new Set(['sta.ssid', 'sta.pswd']);
/** 132 bytes, of which the last 32 are the key. */
const PMK_INFO_ZEROS = 100;

/** Sees the rows of one CSV go by. */
export class WifiExtras {
  readonly #accessPoint = new Map<string, string>();
  #stationDone = false;

  /** Entries to write before a row. */
  before({ namespace, key, value = '' }: WifiRow): NvsEntry[] {
    if (!AP_KEYS.has(key)) return [];
    if (key !== 'ap.authmode' || value !== '0') this.#accessPoint.set(key, value);
    const [ssid = '', password = '', authmode = ''] = [...AP_KEYS].map((name) => this.#accessPoint.get(name));
    if (ssid === '' || password === '' || authmode === '') return [];
    const info = concatBytes(new Uint8Array(PMK_INFO_ZEROS), passphraseKey(ssid, password));
    return [{ namespace, key: 'ap.pmk_info', type: 'blob', value: info }];
  }

  /** Entries to write after a row. */
  after({ namespace, key }: WifiRow): NvsEntry[] {
    if (!STATION_KEYS.has(key) || this.#stationDone) return [];
    this.#stationDone = true;
    return [
      { namespace, key: 'sta.apinfo', type: 'blob', value: new Uint8Array(140).fill(0xff) },
      { namespace, key: 'sta.pmk', type: 'blob', value: new Uint8Array(32) },
      { namespace, key: 'sta.apsw', type: 'blob', value: new Uint8Array(2) },
    ];
  }
}
