/** Finds a Chromium for the tests of the page, and installs one where that can be done. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const PROGRAMS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'microsoft-edge-stable',
];

const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ...['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) => {
    const folder = process.env[name];
    return folder
      ? [
          join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'),
          join(folder, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
        ]
      : [];
  }),
];

function installedBrowser(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...folders.flatMap((folder) => PROGRAMS.map((program) => join(folder, program))), ...PLACES].find(existsSync);
}

/** Debian and Ubuntu, as root: the only place where a test run may install something. */
function canInstall(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function install(): void {
  console.log('No Chromium, Chrome or Edge found: installing the package chromium with apt-get.');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { status } = spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
    if (status !== 0) throw new Error(`apt-get ${args[0] ?? ''} ended with ${status}`);
  }
}

/**
 * Path of a browser: `CHROME_PATH`, else an installed Chromium, Chrome or Edge, else (Debian or Ubuntu as root) a newly installed one.
 *
 * @throws {Error} that says what to install.
 */
export function findBrowser(): string {
  const asked = process.env['CHROME_PATH'];
  if (asked) {
    if (!existsSync(asked)) throw new Error(`CHROME_PATH names ${asked}, which does not exist`);
    return asked;
  }
  const found = installedBrowser();
  if (found) return found;
  if (canInstall()) {
    install();
    const fresh = installedBrowser();
    if (fresh) return fresh;
  }
  throw new Error('No browser found. Install Chromium, Chrome or Edge, or set CHROME_PATH to the program.');
}
