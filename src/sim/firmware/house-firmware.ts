/**
 * House firmware: what the virtual board runs for any valid app image. Start-up log of ESP-IDF, then what a two-slot
 * product does: reads its credentials from NVS, maps the data that lies in the other slot, joins the network.
 *
 * Its own lines carry the tag `house`; passwords are never printed.
 */
import { type AppDescription } from '#formats/app-image.ts';
import { hexAddress, toHex } from '#formats/bytes.ts';
import { revisionText } from '#formats/image-verify.ts';
import { describePartition, type Partition } from '#formats/partition-table.ts';
import { isOnTrial, markAppValid } from './app-ota.ts';
import { type CredentialKeys, findCredentials, type HouseCredentials } from './house-credentials.ts';
import { type DataSlot, dataSlotOf, printable, readDataSlot } from './house-slots.ts';
import { loadAppPartitions, openNvs } from './house-storage.ts';
import { tryToJoin, WIFI_REASON_NAMES, type WifiReason } from './house-wifi.ts';
import { error, formatLogLine, info, type LogLine, warning } from '#sim/boot/log-line.ts';
import { type Machine, type Program } from '#sim/machine.ts';
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
}

const TAG = 'house';
const WIFI_TAG = 'wifi station';
const TRIES = 5;
const MS_PER_CHARACTER = 10 / 115.2;
/** From the boot loader's jump to the app's first line: mapping, and clearing of RAM. */
const START_MS = 15;
/** The driver's start, with its radio calibration. */
const WIFI_START_MS = 180;
const RETRY_PAUSE_MS = 100;
const PANIC_MS = 120;

/** Starts it on the machine; see `BootOptions.startApp` for others. */
export function startHouseFirmware(machine: Machine, app: StartedApp, options: HouseOptions = {}): HouseFirmware {
  return new HouseFirmware(machine, app, options);
}

export class HouseFirmware implements Program {
  readonly state: HouseState;
  readonly #machine: Machine;
  readonly #app: StartedApp;
  readonly #options: HouseOptions;
  readonly #description: AppDescription | undefined;
  readonly #stopScript: () => void;

  constructor(machine: Machine, app: StartedApp, options: HouseOptions) {
    this.#machine = machine;
    this.#app = app;
    this.#options = options;
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
  }

  *#run(): Script {
    yield START_MS;
    yield* this.#log(...startLines(this.#app, this.#machine.chip.name));
    const real = this.#machine.flash.size;
    const believed = this.#app.flashSize;
    if (real < believed) return yield* this.#abort(flashSizeLine('smaller', real, believed));
    if (real > believed) yield* this.#log(flashSizeLine('larger', real, believed));
    yield* this.#log(info('main_task', 'Started on CPU0'), info('main_task', 'Calling app_main()'));
    const credentials = yield* this.#openStorage();
    yield* this.#showData();
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

  *#join(credentials: HouseCredentials): Script {
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

  /** After an update the app is on trial until it says that it works. */
  #confirm(): void {
    const { flash } = this.#machine;
    const { partitions } = this.state;
    if (this.#app.rollback && isOnTrial(flash.bytes, partitions)) markAppValid({ flash, partitions });
  }

  *#abort(line: LogLine): Script {
    this.state.phase = 'aborted';
    yield* this.#log(line);
    yield* this.#print('\r\nassert failed: do_core_init startup.c:328 (flash_ret == ESP_OK)\r\n\r\n');
    const digest = this.#description?.elfSha256.slice(0, 16);
    yield* this.#print(`\r\n${digest ? `ELF file SHA256: ${digest}\r\n\r\n` : ''}Rebooting...\r\n`);
    yield PANIC_MS;
    this.#machine.reset('cpu-software');
  }

  *#log(...lines: LogLine[]): Script {
    for (const line of lines) {
      yield* this.#print(formatLogLine(line, this.#machine.clock.now() - this.#app.startedAt));
    }
  }

  *#print(text: string): Script {
    this.#machine.send(text);
    yield text.length * MS_PER_CHARACTER;
  }
}

/** From `cpu_start` to the flash driver. From ESP-IDF 5.2 on the description comes from `app_init`. */
function startLines({ image, chipRevision }: StartedApp, chip: string): LogLine[] {
  const { description, header } = image;
  const [major = 5, minor = 2] = (/(\d+)\.(\d+)/.exec(description?.idfVersion ?? '') ?? []).slice(1).map(Number);
  const tag = major > 5 || (major === 5 && minor >= 2) ? 'app_init' : 'cpu_start';
  const most = header.maxChipRevFull === 0 || header.maxChipRevFull === 0xffff ? 9999 : header.maxChipRevFull;
  return [
    info('cpu_start', chip === 'esp32c3' ? 'Unicore app' : 'Multicore app'),
    info('cpu_start', 'Pro cpu start user code'),
    info('cpu_start', 'cpu freq: 160000000 Hz'),
    info(tag, 'Application information:'),
    ...(description
      ? [
          info(tag, `Project name:     ${description.projectName}`),
          info(tag, `App version:      ${description.version}`),
          info(tag, `Compile time:     ${description.date} ${description.time}`),
          info(tag, `ELF file SHA256:  ${description.elfSha256.slice(0, 9)}...`),
          info(tag, `ESP-IDF:          ${description.idfVersion}`),
        ]
      : []),
    info('efuse_init', `Min chip rev:     ${revisionText(header.minChipRevFull)}`),
    info('efuse_init', `Max chip rev:     ${revisionText(most)} `),
    info('efuse_init', `Chip rev:         ${revisionText(chipRevision)}`),
    info('heap_init', 'Initializing. RAM available for dynamic allocation:'),
    info('spi_flash', 'detected chip: generic'),
    info('spi_flash', `flash io: ${header.flashMode ?? 'dio'}`),
  ];
}

function flashSizeLine(relation: 'smaller' | 'larger', real: number, believed: number): LogLine {
  const sizes = `Detected size(${real / 1024}k) ${relation} than the size in the binary image header(${believed / 1024}k).`;
  if (relation === 'smaller') return error('spi_flash', `${sizes} Probe failed.`);
  return warning('spi_flash', `${sizes} Using the size in the binary image header.`);
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
