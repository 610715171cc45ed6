/**
 * The demo firmware of the two-step update as a client sees it (main/two_step_http_ota.c), with every quirk: two answers to `/ota`,
 * nothing decoded, 255 bytes of URL in a buffer that is never cleared, an update that starts whatever was asked.
 */
import { error, info, type LogLine } from '#sim/boot/log-line.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';
import { type Machine, type Program } from '#sim/machine.ts';
import { type Lan } from '#sim/network/lan.ts';
import { AppConsole, flashSizeLine, PANIC_MS, START_MS, startLines, WIFI_START_MS } from './app-console.ts';
import { isOnTrial, markAppValid, type OtaContext } from './app-ota.ts';
import { runOtaTask } from './ota-task.ts';
import { loadAppPartitions, openNvs } from './house-storage.ts';
import { builtInCredentials, linkLine, tryToJoin } from './house-wifi.ts';
import { HttpServer } from './http-server.ts';
import { type SeedOptions } from './seed-options.ts';
import { seedPage, takeUrl } from './seed-page.ts';
import { Task } from './task.ts';

const TAG = 'TWO_STEP_OTA';
/** FreeRTOS hands over to the new task while the server's one waits for its socket. */
const TASK_START_MS = 1;
const RETRY_PAUSE_MS = 100;

export class SeedFirmware implements Program {
  readonly #machine: Machine;
  readonly #app: StartedApp;
  readonly #options: SeedOptions;
  readonly #console: AppConsole;
  readonly #task: Task;
  readonly #context: OtaContext;
  #lan: Lan | undefined;
  #stopWatching: (() => void) | undefined;
  /** The static buffer of its handler: RAM, so that it lives as long as the app runs. */
  #url = '';
  #typed = '';
  #onLine: ((line: string) => void) | undefined;

  constructor(machine: Machine, app: StartedApp, options: SeedOptions) {
    this.#machine = machine;
    this.#app = app;
    this.#options = options;
    this.#console = new AppConsole(machine, app);
    this.#task = new Task(machine.clock);
    const { partitions } = loadAppPartitions(machine.flash.bytes, app.tableOffset);
    this.#context = {
      flash: machine.flash,
      partitions,
      chipId: machine.chip.imageChipId,
      chipRevision: app.chipRevision,
      rollback: options.rollback,
      idf: 'before-6.0',
    };
    void this.#run();
  }

  /** Where it serves, once it is on the network. */
  get address(): string | undefined {
    return this.#lan?.address;
  }

  receive(bytes: Uint8Array): void {
    this.#typed += new TextDecoder().decode(bytes);
    const end = this.#typed.search(/[\r\n]/);
    if (end < 0 || !this.#onLine) return;
    const line = this.#typed.slice(0, end);
    this.#typed = this.#typed.slice(end + 1);
    this.#onLine(line);
  }

  stop(): void {
    this.#task.stop();
    this.#stopWatching?.();
    this.#lan?.close();
    this.#lan = undefined;
  }

  async #run(): Promise<void> {
    const { flash, chip } = this.#machine;
    await this.#task.sleep(START_MS);
    await this.#say(...startLines(this.#app, chip.name));
    const believed = this.#app.flashSize;
    if (flash.size < believed) {
      await this.#say(flashSizeLine('smaller', flash.size, believed));
      return this.#panic('assert failed: do_core_init startup.c:328 (flash_ret == ESP_OK)');
    }
    if (flash.size > believed) await this.#say(flashSizeLine('larger', flash.size, believed));
    await this.#say(info('main_task', 'Calling app_main()'));
    // What lies in NVS is not looked at, but it is erased when it cannot be opened.
    openNvs(flash, this.#context.partitions);
    if (!(await this.#join())) return this.#panic('ESP_ERROR_CHECK failed: esp_err_t 0xffffffff (ESP_FAIL)');
    this.#serve();
    await this.#confirm();
  }

  async #join(): Promise<boolean> {
    const { network } = this.#machine;
    await this.#say(info('example_connect', 'Start example_connect.'));
    const typed = this.#options.credentials === 'stdin' ? await this.#askForCredentials() : undefined;
    await this.#task.sleep(WIFI_START_MS);
    await this.#say(info('wifi', `mode : sta (${this.#app.mac})`));
    for (let attempt = 1; attempt <= this.#options.joinTries; attempt++) {
      const credentials = typed ?? builtInCredentials(network);
      const { lines, outcome } = tryToJoin(network, credentials);
      for (const { after, line } of lines) {
        await this.#task.sleep(after);
        await this.#say(line);
      }
      if (outcome.joined) {
        await this.#say(info('example_common', `- IPv4 address: ${outcome.address},`));
        this.#lan = network.join?.(outcome.address);
        this.#stopWatching = network.watch?.((present) => this.#console.log(linkLine(present)));
        return true;
      }
      await this.#say(info('example_connect', 'Wi-Fi disconnected, trying to reconnect...'));
      await this.#task.sleep(RETRY_PAUSE_MS);
    }
    await this.#say(info('example_connect', `WiFi Connect failed ${this.#options.joinTries} times, stop reconnect.`));
    return false;
  }

  async #askForCredentials(): Promise<{ ssid: string; password: string }> {
    await this.#task.sleep(this.#console.print('Please input ssid password:\r\n'));
    const line = await this.#task.wait(new Promise<string>((resolve) => (this.#onLine = resolve)));
    const [ssid = '', password = ''] = line.trim().split(' ');
    return { ssid, password };
  }

  #serve(): void {
    const lan = this.#lan;
    if (!lan) return;
    const { limits, port } = this.#options;
    const log = (line: LogLine): void => void this.#console.log(line);
    const handlers = {
      '/ota': ({ query }: { query: string | undefined }, reply: { send(body: string): void }): void => {
        const taken = takeUrl(this.#url, query);
        this.#url = taken.buffer;
        if (taken.log !== undefined) log(info(TAG, taken.log));
        void this.#update(lan);
        reply.send('updating...');
        reply.send('wrong query');
      },
      '/': (_request: unknown, reply: { send(body: Uint8Array): void }): void => {
        const page = seedPage(this.#machine.flash.bytes, this.#context.partitions, this.#app);
        if (page === 'unmapped') void this.#panic('ESP_ERROR_CHECK failed: esp_err_t 0x101 (ESP_ERR_NO_MEM)');
        else reply.send(page);
      },
    };
    new HttpServer({ clock: this.#machine.clock, lan, port, limits, handlers, log });
  }

  async #update(lan: Lan): Promise<void> {
    const task = this.#task;
    await task.sleep(TASK_START_MS);
    const { ota: traits, dataForm } = this.#options;
    const say = (...lines: LogLine[]): Promise<void> => this.#say(...lines);
    const context = this.#context;
    const running = this.#app.partition;
    const done = await runOtaTask({ tag: TAG, task, lan, url: this.#url, traits, dataForm, context, running, say });
    if (done) this.#machine.reset('software');
  }

  /** After an update the app is on trial until it says that it works. */
  async #confirm(): Promise<void> {
    const { confirmAfter, rollback } = this.#options;
    const { flash, partitions } = this.#context;
    if (!rollback || confirmAfter === 'never' || !isOnTrial(flash.bytes, partitions)) return;
    await this.#task.sleep(confirmAfter);
    if (markAppValid({ flash, partitions })) {
      await this.#say(info(TAG, 'App is valid, rollback cancelled successfully'));
    } else {
      await this.#say(error(TAG, 'Failed to cancel rollback'));
    }
  }

  async #panic(words: string): Promise<void> {
    // Nothing is served from here on.
    this.#stopWatching?.();
    this.#lan?.close();
    await this.#task.sleep(this.#console.panic(words) + PANIC_MS);
    this.#machine.reset('cpu-software');
  }

  async #say(...lines: LogLine[]): Promise<void> {
    for (const line of lines) await this.#task.sleep(this.#console.log(line));
  }
}
