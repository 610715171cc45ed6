/**
 * House firmware: what the virtual board runs for any valid app image. Start-up log of ESP-IDF, then what a two-slot
 * product does: reads its credentials from NVS, maps the data that lies in the other slot, joins the network.
 *
 * Its own lines carry the tag `house`; passwords are never printed.
 */
import { type AppDescription } from '#formats/app-image.ts';
import { hexAddress, toHex } from '#formats/bytes.ts';
import { describePartition, type Partition } from '#formats/partition-table.ts';
import { AppConsole, flashSizeLine, PANIC_MS, START_MS, startLines, WIFI_START_MS } from './app-console.ts';
import { isOnTrial, markAppValid } from './app-ota.ts';
import { type CredentialKeys, findCredentials, type HouseCredentials } from './house-credentials.ts';
import { HouseNetwork } from './house-network.ts';
import { type DataSlot, dataSlotOf, printable, readDataSlot } from './house-slots.ts';
import { loadAppPartitions, openNvs } from './house-storage.ts';
import { builtInCredentials, linkLine, tryToJoin, WIFI_REASON_NAMES, type WifiReason } from './house-wifi.ts';
import { error, info, type LogLine, warning } from '#sim/boot/log-line.ts';
import { type AccessPoint, type Machine, type Program } from '#sim/machine.ts';
import { runScript, type Script } from '#sim/boot/script.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';

/** Where the firmware has got to. */
export type HousePhase =
  | 'starting'
  /** There is nothing to join with. */
  | 'no-credentials'
  | 'joining'
  | 'online'
  /** It tried often enough. */
  | 'offline'
  /** It ends in an assertion and restarts. */
  | 'aborted';

/** What can be seen of the running firmware, for tests and for whoever talks to it. */
export interface HouseState {
  phase: HousePhase;
  /** `factory`, `ota_0` …; the running one. */
  runningSlot: string;
  runningOffset: number;
  /** Of the app's description; empty where it has none. */
  project: string;
  version: string;
  /** Partitions that the app sees: none with a table that it refuses. */
  partitions: Partition[];
  ssid?: string;
  /** Namespace that the credentials come from. */
  credentialsFrom?: string;
  address?: string;
  /** Why the last try to join failed. */
  wifiReason?: WifiReason;
  data?: DataSlot;
}

export interface HouseOptions {
  /** The namespace and keys that this firmware was written for; without them any sensible ones are taken. */
  keys?: CredentialKeys;
  /** Of its HTTP server; 80 unless told otherwise. */
  port?: number;
}

const TAG = 'house';
const WIFI_TAG = 'wifi station';
const TRIES = 5;
const RETRY_PAUSE_MS = 100;

/** Starts it on the machine; see `BootOptions.startApp` for others. */
export function startHouseFirmware(machine: Machine, app: StartedApp, options: HouseOptions = {}): HouseFirmware {
  return new HouseFirmware(machine, app, options);
}

export class HouseFirmware implements Program {
  readonly state: HouseState;
  readonly #machine: Machine;
  readonly #app: StartedApp;
  readonly #options: HouseOptions;
  readonly #console: AppConsole;
  readonly #description: AppDescription | undefined;
  readonly #stopScript: () => void;
  #stopWatching: (() => void) | undefined;
  #served: HouseNetwork | undefined;

  constructor(machine: Machine, app: StartedApp, options: HouseOptions) {
    this.#machine = machine;
    this.#app = app;
    this.#options = options;
    this.#console = new AppConsole(machine, app);
    this.#description = app.image.description;
    this.state = {
      phase: 'starting',
      runningSlot: describePartition(app.partition),
      runningOffset: app.partition.offset,
      project: this.#description?.projectName ?? '',
      version: this.#description?.version ?? '',
      partitions: [],
    };
    this.#stopScript = runScript(machine.clock, this.#run());
  }

  receive(): void {
    // It has no console commands.
  }

  stop(): void {
    this.#stopScript();
    this.#stopWatching?.();
    this.#served?.stop();
  }

  *#run(): Script {
    yield START_MS;
    yield* this.#log(...startLines(this.#app, this.#machine.chip.name));
    const real = this.#machine.flash.size;
    const believed = this.#app.flashSize;
    if (real < believed) return yield* this.#abort(flashSizeLine('smaller', real, believed));
    if (real > believed) yield* this.#log(flashSizeLine('larger', real, believed));
    yield* this.#log(info('main_task', 'Started on CPU0'), info('main_task', 'Calling app_main()'));
    const stored = yield* this.#openStorage();
    yield* this.#showData();
    // A network that takes every board takes also one that knows of none.
    const { network } = this.#machine;
    const credentials = stored ?? (network.accessPoint === 'any' ? builtInCredentials(network) : undefined);
    if (!credentials) {
      this.state.phase = 'no-credentials';
      yield* this.#log(warning(TAG, 'no Wi-Fi credentials in NVS: staying off the network'));
      return this.#confirm();
    }
    yield* this.#join(credentials);
  }

  /** Table, running slot, NVS. */
  *#openStorage(): Generator<number, HouseCredentials | undefined, void> {
    const { flash } = this.#machine;
    const { partitions, lookUpLines } = loadAppPartitions(flash.bytes, this.#app.tableOffset);
    this.state.partitions = partitions;
    const { runningSlot, runningOffset } = this.state;
    yield* this.#log(...lookUpLines, info(TAG, `running from ${runningSlot} at ${hexAddress(runningOffset)}`));
    const { entries, lines } = openNvs(flash, partitions);
    yield* this.#log(...lookUpLines, ...lines);
    const found = findCredentials(entries, { keys: this.#options.keys, idfVersion: this.#description?.idfVersion });
    if (found) {
      this.state.ssid = found.ssid;
      this.state.credentialsFrom = found.namespace;
      yield* this.#log(info(TAG, `Wi-Fi credentials for "${found.ssid}" in NVS namespace ${found.namespace}`));
    }
    if (lookUpLines.length > 0) yield* this.#log(...lookUpLines);
    return found;
  }

  *#showData(): Script {
    const partition = dataSlotOf(this.state.partitions, this.#app.partition);
    if (!partition) return yield* this.#log(warning(TAG, 'no data slot: the table has no other OTA slot'));
    const data = readDataSlot(this.#machine.flash.bytes, partition, this.#app);
    this.state.data = data;
    yield* this.#log(dataLine(data));
  }

  *#join(credentials: AccessPoint): Script {
    this.state.phase = 'joining';
    yield WIFI_START_MS;
    yield* this.#log(info('wifi', `mode : sta (${this.#app.mac})`), info('wifi', 'enable tsf'));
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const { lines, outcome } = tryToJoin(this.#machine.network, credentials);
      for (const { after, line } of lines) {
        yield after;
        yield* this.#log(line);
      }
      if (outcome.joined) {
        yield* this.#log(info(WIFI_TAG, `got ip:${outcome.address}`));
        yield* this.#log(info(WIFI_TAG, `connected to ap SSID:${credentials.ssid}`));
        this.state.address = outcome.address;
        this.state.phase = 'online';
        this.#serve(outcome.address);
        return this.#confirm();
      }
      const { reason } = outcome;
      this.state.wifiReason = reason;
      yield* this.#log(warning(WIFI_TAG, `disconnected, reason: ${reason} (${WIFI_REASON_NAMES[reason]})`));
      yield* this.#log(info(WIFI_TAG, attempt < TRIES ? 'retry to connect to the AP' : 'connect to the AP fail'));
      yield RETRY_PAUSE_MS;
    }
    this.state.phase = 'offline';
    yield* this.#log(error(TAG, `failed to connect to SSID:${credentials.ssid} after ${TRIES} tries`));
  }

  #serve(address: string): void {
    const { network } = this.#machine;
    const lan = network.join?.(address);
    if (!lan) return;
    const { partitions } = this.state;
    const port = this.#options.port ?? 80;
    this.#served = new HouseNetwork({
      machine: this.#machine,
      app: this.#app,
      partitions,
      console: this.#console,
      lan,
      port,
    });
    this.#stopWatching = network.watch?.((present) => this.#console.log(linkLine(present)));
  }

  /** After an update the app is on trial until it says that it works. */
  #confirm(): void {
    const { flash } = this.#machine;
    const { partitions } = this.state;
    if (this.#app.rollback && isOnTrial(flash.bytes, partitions)) markAppValid({ flash, partitions });
  }

  *#abort(line: LogLine): Script {
    this.state.phase = 'aborted';
    yield* this.#log(line);
    yield this.#console.panic('assert failed: do_core_init startup.c:328 (flash_ret == ESP_OK)');
    yield PANIC_MS;
    this.#machine.reset('cpu-software');
  }

  *#log(...lines: LogLine[]): Script {
    for (const line of lines) yield this.#console.log(line);
  }
}

function dataLine({ slot, partition, content, bytes }: DataSlot): LogLine {
  const place = `data slot ${slot} at ${hexAddress(partition.offset)}`;
  switch (content) {
    case 'unmapped':
      return error(TAG, `${place}: esp_partition_mmap: ESP_ERR_NO_MEM (0x101)`);
    case 'blank':
      return warning(TAG, `${place} is blank`);
    case 'app':
      return warning(TAG, `${place} holds an app, not data: ${toHex(bytes)}`);
    case 'data':
      return info(TAG, `${place}: "${printable(bytes)}" (${toHex(bytes)})`);
  }
}
