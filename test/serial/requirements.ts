/** What the rig needs of the machine, and why it cannot run where something is missing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findBrowser } from '../support/browser.ts';

export interface RigTools {
  /** Path of a C compiler. */
  compiler: string;
  /** Path of a browser whose policies are ours to set. */
  browser: string;
  /** Folder of the browser's settings on this machine; exists. */
  settings: string;
  /** Options of `unshare`, and of `nsenter` for the way in. */
  unshare: string[];
  nsenter: string[];
}

/** Thrown where the rig cannot run; the message is the reason, ready for the title of a skipped test. */
export class RigHindrance extends Error {
  override readonly name = 'RigHindrance';
}

const COMPILERS = ['cc', 'gcc', 'clang'];

/** Settings of each browser on Linux, by a part of its program's name. */
const SETTINGS = [
  ['chromium', '/etc/chromium'],
  ['chrome', '/etc/opt/chrome'],
  ['edge', '/etc/opt/edge'],
] as const;

function programOf(names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** Debian and Ubuntu, as root: the only place where a test run may install something. */
function canInstall(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** Installs packages of Debian, where that can be done. */
function install(packages: readonly string[]): void {
  if (!canInstall()) return;
  console.log(`Installing with apt-get: ${packages.join(', ')}.`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
  }
}

/** Whether `compiler` has the headers of the C library too. */
function compiles(compiler: string): boolean {
  const { status } = spawnSync(compiler, ['-fsyntax-only', '-x', 'c', '-'], { input: '#include <stdio.h>\n' });
  return status === 0;
}

/**
 * A C compiler: an installed one, else (Debian or Ubuntu as root) a newly installed gcc.
 *
 * @throws {RigHindrance} when there is none and none can be installed.
 */
function findCompiler(): string {
  const found = programOf(COMPILERS);
  if (found !== undefined && compiles(found)) return found;
  install(['gcc', 'libc6-dev']);
  const fresh = programOf(COMPILERS);
  if (fresh !== undefined && compiles(fresh)) return fresh;
  throw new RigHindrance('no C compiler');
}

function findRigBrowser(): Pick<RigTools, 'browser' | 'settings'> {
  let browser: string;
  try {
    browser = findBrowser();
  } catch {
    // It says what to install; here the tests are skipped.
    throw new RigHindrance('no Chromium');
  }
  const [, settings] = SETTINGS.find(([name]) => browser.includes(name)) ?? [];
  if (settings === undefined || !existsSync(settings)) {
    throw new RigHindrance(`the browser ${browser} keeps no policies in ${settings ?? 'a known folder'}`);
  }
  return { browser, settings };
}

/** As root a mount namespace alone; else one inside a user namespace, where that is allowed. */
function findNamespace(): Pick<RigTools, 'unshare' | 'nsenter'> {
  const mount = ['--mount', '--propagation', 'private'];
  const ways = [
    { unshare: mount, nsenter: [] as string[] },
    { unshare: ['--user', '--map-root-user', ...mount], nsenter: ['--user', '--preserve-credentials'] },
  ];
  const way = ways.find(({ unshare }) => spawnSync('unshare', [...unshare, 'true']).status === 0);
  if (!way) throw new RigHindrance('neither root nor user namespaces');
  return way;
}

/**
 * All that the rig needs.
 *
 * @throws {RigHindrance} with the reason, when something is missing.
 */
export function findRigTools(): RigTools {
  if (process.platform !== 'linux')
    throw new RigHindrance('only Linux has pseudo-terminals that pass for serial ports');
  const namespace = findNamespace();
  return { ...namespace, ...findRigBrowser(), compiler: findCompiler() };
}

/** What an X display without a screen, and a hand at its keyboard, are made of. */
export interface ScreenTools {
  /** Path of Xvfb. */
  server: string;
  /** Path of xdotool. */
  hand: string;
}

/**
 * Installed ones, else (Debian or Ubuntu as root) newly installed ones.
 *
 * @throws {RigHindrance} when one is missing.
 */
export function findScreenTools(): ScreenTools {
  const found = (): (string | undefined)[] => [programOf(['Xvfb']), programOf(['xdotool'])];
  if (found().includes(undefined)) install(['xvfb', 'xdotool']);
  const [server, hand] = found();
  if (server === undefined) throw new RigHindrance('no Xvfb');
  if (hand === undefined) throw new RigHindrance('no xdotool');
  return { server, hand };
}
