/** A station and virtual boards with the seed firmware, each a process with an address of its own, and the station's page in Chromium. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { runCli } from '../../cli/run-cli.ts';
import { CliProcess } from '../../support/cli-process.ts';
import { type Version } from './versions.ts';

/** So many times faster than a real board: a download of an app takes a few seconds then. */
const SPEED = 8;

/** The network that the virtual board of `--port virtual:` finds. */
const WIFI = { ssid: 'workshop', password: 'two steps ahead' };

export interface NetworkBoard {
  /** `HOST:PORT`. */
  address: string;
  /** As it was before it was switched on. */
  before: Uint8Array;
  /** Switches it off. @returns its flash. */
  flash(): Promise<Uint8Array>;
}

export class NetworkScene {
  readonly #folder = mkdtempSync(join(tmpdir(), 'twostep-network-'));
  readonly #processes: CliProcess[] = [];
  /** Pages and boards, each at the same port after a restart of the station. */
  #ports: [page: number, boards: number] = [0, 0];
  #station: CliProcess | undefined;
  readonly context: BrowserContext;
  /** What its pages complain about. */
  readonly troubles: string[] = [];

  private constructor(context: BrowserContext) {
    this.context = context;
  }

  /** With a station that knows nothing yet. */
  static async start(browser: Browser): Promise<NetworkScene> {
    const scene = new NetworkScene(await browser.newContext({ viewport: { width: 1440, height: 900 } }));
    scene.#ports = [await freePort(), await freePort()];
    await scene.startStation();
    return scene;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#ports[0]}`;
  }

  async startStation(): Promise<void> {
    const [page, boards] = this.#ports.map((port) => `127.0.0.1:${port}`) as [string, string];
    const data = join(this.#folder, 'station');
    this.#station = this.#run('serve', '--listen', page, '--boards-listen', boards, '--data', data);
    await this.#station.next('serving');
  }

  /** SIGKILL. */
  async killStation(): Promise<void> {
    await this.#station?.stop('SIGKILL');
  }

  /** Provisions a board over its serial port, and switches it on with the seed firmware at an address of its own. */
  async startBoard(host: string, version: Version, networkFault?: string): Promise<NetworkBoard> {
    const file = join(this.#folder, `${host}.bin`);
    const release = join(this.#folder, version.file.path);
    writeFileSync(release, version.file.bytes);
    const wifi = ['--wifi-ssid', WIFI.ssid, '--wifi-password-stdin'];
    const { code, err } = await runCli(['flash', release, '--port', `virtual:esp32@${file}`, ...wifi], {
      stdin: `${WIFI.password}\n`,
    });
    if (code !== 0) throw new Error(err);
    const before = new Uint8Array(readFileSync(file));
    const board = this.#run(
      ...['virtual', '--chip', 'esp32', '--listen', '127.0.0.1:0', '--flash', file, '--speed', String(SPEED)],
      ...['--http', `${host}:0`, '--firmware', 'seed', '--wifi', `${WIFI.ssid}:${WIFI.password}`],
      ...(networkFault === undefined ? [] : ['--network-fault', networkFault]),
    );
    const { http } = await board.next('online');
    const flash = async (): Promise<Uint8Array> => {
      await board.stop();
      return new Uint8Array(readFileSync(file));
    };
    return { address: String(http), before, flash };
  }

  /** The Update screen in one more tab. */
  async openTab(address = `${this.origin}/#/update`): Promise<Page> {
    const page = await this.context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.troubles.push(message.text());
    });
    page.on('pageerror', (error) => this.troubles.push(String(error)));
    await page.goto(address);
    await page.getByRole('region', { name: 'Boards', exact: true }).waitFor();
    return page;
  }

  /** Whatever was started is over. */
  async close(): Promise<void> {
    await this.context.close();
    await Promise.all(this.#processes.map((process) => process.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(...args: string[]): CliProcess {
    const process = new CliProcess(...args);
    this.#processes.push(process);
    return process;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
