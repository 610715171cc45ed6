/** The wishes of the user. Passwords live here only, in memory, until they are forgotten or the page is closed. */
import { type EntryMode } from '#device/reset.ts';
import { parseFlashSize } from '#formats/chips.ts';
import { FormatError } from '#formats/format-error.ts';
import { checkWifiCredentials, parseWifiStore, type WifiStore } from '#formats/nvs/wifi-credentials.ts';
import { type HeaderWish } from '#workflows/bootloader-plan.ts';
import { type Orientation } from '#workflows/roles.ts';
import { type TableWish } from '#workflows/table-choice.ts';
import { type PlanWishes } from '../workers/planner-messages.ts';

export type StoreChoice = WifiStore['kind'];
export type TableChoice = TableWish['kind'];
export type HeaderChoice = 'keep' | 'repair' | 'size' | 'size-dio';

/** What is sent of a plan. */
export type SendChoice = 'differing' | 'everything';

export type WifiField = 'ssid' | 'password' | 'store';

/** All wishes but the password. */
export interface KeptSettings {
  ssid: string;
  /** There was a password, which is kept nowhere. */
  hasPassword: boolean;
  store: StoreChoice;
  namespace: string;
  ssidKey: string;
  passwordKey: string;
  table: TableChoice;
  csv: { name: string; bytes: Uint8Array } | undefined;
  orientation: Orientation;
  header: HeaderChoice;
}

const HEADERS: Readonly<Record<HeaderChoice, HeaderWish>> = {
  keep: {},
  repair: { repair: true },
  size: { size: 'detect' },
  'size-dio': { size: 'detect', mode: 'dio' },
};

export class SettingsState {
  ssid = $state('');
  password = $state('');
  /** The network whose password has to be typed again. */
  passwordWantedFor = $state<string>();
  store = $state<StoreChoice>('idf');
  namespace = $state('wifi');
  ssidKey = $state('ssid');
  passwordKey = $state('password');

  table = $state<TableChoice>('auto');
  csv = $state.raw<{ name: string; bytes: Uint8Array }>();
  orientation = $state<Orientation>('keep');
  header = $state<HeaderChoice>('keep');

  sends = $state<SendChoice>('differing');
  before = $state<EntryMode>('auto');
  /** Bits a second, or `auto`. */
  baud = $state('auto');
  /** `4MB`, or `detect`. */
  flashSize = $state('detect');

  /** What is wrong with the Wi-Fi fields, by field. */
  readonly problems = $derived(this.#problems());
  readonly wishes: PlanWishes = $derived(this.#wishes());
  /** How the board is reached, as the device layer takes it. */
  readonly connectOptions = $derived({
    before: this.before,
    baud: this.baud === 'auto' ? ('auto' as const) : Number(this.baud),
    flashSize: parseFlashSize(this.flashSize),
  });

  /** Takes a partition CSV, which is the table then. */
  async takeCsv(file: File): Promise<void> {
    this.csv = { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
    this.table = 'csv';
  }

  /** Looks for credentials where the release says that its firmware does. */
  takeStore(store: WifiStore): void {
    this.store = store.kind;
    if (store.kind === 'namespace')
      ({ namespace: this.namespace, ssidKey: this.ssidKey, passwordKey: this.passwordKey } = store);
  }

  forgetPassword(): void {
    this.password = '';
  }

  /** For a later run; how the board is reached belongs to this one. */
  toKeep(): KeptSettings {
    const { ssid, store, namespace, ssidKey, passwordKey, table, csv, orientation, header } = this;
    const hasPassword = this.password !== '';
    return { ssid, hasPassword, store, namespace, ssidKey, passwordKey, table, csv, orientation, header };
  }

  /** Takes what was kept. With `wifiWritten` the board has the Wi-Fi already. */
  takeKept({ hasPassword, ...kept }: KeptSettings, { wifiWritten }: { wifiWritten: boolean }): void {
    Object.assign(this, kept);
    this.password = '';
    this.passwordWantedFor = hasPassword && !wifiWritten ? kept.ssid : undefined;
    if (wifiWritten) this.ssid = '';
  }

  #wifiStore(): WifiStore {
    return this.store === 'namespace'
      ? parseWifiStore([this.namespace, this.ssidKey, this.passwordKey].join(':'))
      : { kind: this.store };
  }

  #problems(): Partial<Record<WifiField, string>> {
    if (this.store === 'none') return {};
    try {
      this.#wifiStore();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { store: 'Namespace and keys have 1 to 15 characters each, without a colon, and the keys differ.' };
    }
    if (this.ssid === '') {
      return this.password === '' ? {} : { ssid: 'A password needs the name of its network.' };
    }
    if (this.passwordWantedFor === this.ssid && this.password === '') {
      return { password: 'Type the password again: it is kept nowhere.' };
    }
    try {
      checkWifiCredentials({ ssid: this.ssid, password: this.password });
      return {};
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return error.code === 'wifi-bad-ssid'
        ? { ssid: 'A network name has at most 32 bytes.' }
        : {
            password:
              'A password has 8 to 63 characters, or is a key of 64 hex digits. Leave it empty for an open network.',
          };
    }
  }

  #wishes(): PlanWishes {
    const wishes: PlanWishes = {
      orientation: this.orientation,
      header: HEADERS[this.header],
      table: this.#tableWish(),
    };
    // A store that makes no sense is said at its fields, and keeps the run from starting.
    if (this.ssid !== '' && this.store !== 'none' && this.problems.store === undefined) {
      wishes.wifi = { store: this.#wifiStore(), ssid: this.ssid, password: this.password };
    }
    return wishes;
  }

  #tableWish(): TableWish {
    if (this.table !== 'csv') return { kind: this.table };
    return this.csv ? { kind: 'csv', ...this.csv } : { kind: 'auto' };
  }
}
