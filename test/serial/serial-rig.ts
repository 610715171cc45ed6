/**
 * A real browser that sees the rig's lines as its serial ports, through its own Web Serial. See README.md for how.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { findRigTools, RigHindrance, type RigTools } from './requirements.ts';

const NATIVE = join(import.meta.dirname, 'native');

const ARGUMENTS = [
  '--remote-debugging-port=0',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-sync',
  '--no-first-run',
  '--password-store=basic',
];

interface BrowserStart {
  /** Origins whose pages may use every port. */
  allowed: string[];
  args: string[];
  env?: NodeJS.ProcessEnv;
}

export class SerialRig {
  /** Holds lines and what is laid over the machine's own files; outside of the namespace it is an ordinary folder. */
  readonly folder: string;
  readonly #namespace: ChildProcess;
  readonly #browsers: { browser: Browser; process: ChildProcess }[] = [];

  private constructor(folder: string, namespace: ChildProcess) {
    this.folder = folder;
    this.#namespace = namespace;
  }

  /** @throws {RigHindrance} where it cannot run. */
  static async start(): Promise<SerialRig> {
    const tools = findRigTools();
    const folder = mkdtempSync(join(tmpdir(), 'twostep-serial-'));
    try {
      compile(tools, folder);
      layOut(tools, folder);
      return new SerialRig(folder, await enterNamespace(tools, folder));
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /**
   * The first context of a browser in which pages of `origin` may use every port, without a picker. It is started here
   * and not by playwright, which makes every page believe that it is seen and has the focus.
   */
  async launch(origin: string): Promise<BrowserContext> {
    return this.#start({ allowed: [origin], args: ['--headless'] });
  }

  /** The same with windows on the X display of that name, and no port that a page may use without asking. */
  async launchOn(display: string): Promise<BrowserContext> {
    return this.#start({ allowed: [], args: ['--ozone-platform=x11'], env: { DISPLAY: display } });
  }

  async #start({ allowed, args, env }: BrowserStart): Promise<BrowserContext> {
    writeFileSync(this.#policy, JSON.stringify({ SerialAllowAllPortsForUrls: allowed }));
    const profile = join(this.folder, `profile-${this.#browsers.length}`);
    const program = join(this.folder, 'browser');
    const browserProcess = spawn(program, [...ARGUMENTS, ...args, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    const browser = await chromium.connectOverCDP(await debuggerOf(browserProcess), { noDefaults: true });
    this.#browsers.push({ browser, process: browserProcess });
    const [context] = browser.contexts();
    if (!context) throw new Error('The browser has no context');
    return context;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#browsers.map(endBrowser));
    const ended = once(this.#namespace, 'exit');
    this.#namespace.stdin?.end();
    await ended;
    // What the browser started may still write to its profile.
    rmSync(this.folder, { recursive: true, maxRetries: 10, retryDelay: 100 });
  }

  get #policy(): string {
    return join(this.folder, 'settings', 'policies', 'managed', 'twostep-serial.json');
  }
}

/** Address of the browser's debugger, which it says on stderr. */
async function debuggerOf(process: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    process.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const [, address] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (address !== undefined) resolve(address);
    });
    process.once('exit', (code) => reject(new Error(`The browser ended with ${code}: ${said}`)));
  });
}

async function endBrowser({ browser, process }: { browser: Browser; process: ChildProcess }): Promise<void> {
  const ended = process.exitCode === null ? once(process, 'exit') : undefined;
  const session = await browser.newBrowserCDPSession();
  // The answer gets lost when the browser is quick.
  await session.send('Browser.close').catch(() => undefined);
  await ended;
}

function compile({ compiler }: RigTools, folder: string): void {
  const programs = [
    ['-shared', '-fPIC', '-o', join(folder, 'modem_shim.so'), join(NATIVE, 'modem_shim.c'), '-ldl', '-lpthread'],
    ['-o', join(folder, 'pty_line'), join(NATIVE, 'pty_line.c')],
  ];
  for (const args of programs) {
    const { status, stderr } = spawnSync(compiler, ['-O2', '-Wall', '-Wextra', '-Werror', ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${compiler} ended with ${status}: ${stderr}`);
  }
}

function layOut({ settings }: RigTools, folder: string): void {
  for (const name of ['dev', 'devices', 'class']) mkdirSync(join(folder, name));
  // Chromium lists a tty only if its number belongs to a driver of this type.
  const drivers = readFileSync('/proc/tty/drivers', 'utf8').split('\n');
  const others = drivers.filter((line) => line !== '' && !line.endsWith('serial'));
  const ours = 'usbserial            /dev/ttyUSB   188 0-511 serial';
  writeFileSync(join(folder, 'drivers'), [...others, ours, ''].join('\n'));
  cpSync(settings, join(folder, 'settings'), { recursive: true, dereference: true });
  mkdirSync(join(folder, 'settings', 'policies', 'managed'), { recursive: true });
}

async function enterNamespace(tools: RigTools, folder: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'namespace.sh');
  const namespace = spawn('unshare', [...tools.unshare, 'sh', script, folder, tools.settings], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  namespace.stderr.on('data', (bytes: Buffer) => (complaint += bytes.toString()));
  const ready = once(namespace.stdout, 'data').then(() => true);
  const up = await Promise.race([ready, once(namespace, 'exit').then(() => false)]);
  if (!up) throw new RigHindrance(`this machine lets nothing be mounted (${complaint.trim().split('\n')[0] ?? ''})`);
  writeBrowser({ tools, folder, pid: namespace.pid ?? 0 });
  return namespace;
}

/** The browser as a program that enters the namespace first. */
function writeBrowser({ tools, folder, pid }: { tools: RigTools; folder: string; pid: number }): void {
  const environment = [
    `TWOSTEP_SERIAL_RIG=${folder}`,
    // The entries laid over /sys are no sysfs, and libudev would mind.
    'SYSTEMD_DEVICE_VERIFY_SYSFS=0',
    `LD_PRELOAD=${join(folder, 'modem_shim.so')}`,
  ];
  const enter = ['nsenter', '--target', String(pid), '--mount', ...tools.nsenter];
  // It ends with the tests, whatever ends those.
  const command = [...enter, 'setpriv', '--pdeathsig', 'TERM', 'env', ...environment, tools.browser];
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  writeFileSync(join(folder, 'browser'), `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
}

/**
 * The rig, or why there is none here: for the title of the tests that are skipped then.
 *
 * @throws when something is wrong with the rig itself.
 */
export async function startRigIfPossible(): Promise<{ rig?: SerialRig; hindrance?: string }> {
  try {
    return { rig: await SerialRig.start() };
  } catch (error) {
    if (error instanceof RigHindrance) return { hindrance: error.message };
    throw error;
  }
}
