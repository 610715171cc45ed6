/** `twostep serve`: the station, with its page, for this computer and others. */
import { defaultDataFolder } from '#station/data-folder.ts';
import { insecureOriginPolicy, POLICY_PLACES } from '#station/policy.ts';
import { BOARDS_PORT } from '#station/boards-port.ts';
import type { StartOptions } from '#station/start.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CommandContext } from './context.ts';
import { parseBoardsListen } from './boards-listen.ts';
import { InputError } from './input-error.ts';
import { parseTcpAddress } from './ports/port-name.ts';
import { startStation } from './start-station.ts';
import { VERSION } from './version.ts';

interface ServeOptions {
  listen: string;
  data?: string;
  tlsCert?: string;
  tlsKey?: string;
  behindProxy?: string;
  boardsListen: string;
  releases?: string;
  virtualBoards?: number;
  policy?: string;
  json?: boolean;
}

const PAGE_FOLDER = fileURLToPath(new URL('../../dist/page', import.meta.url));

/**
 * Serves until it is interrupted, which is its ordinary end.
 *
 * @throws {InputError} when an option makes no sense, or the station cannot start with it.
 */
async function serveCommand(options: ServeOptions, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  if (options.policy !== undefined) return showPolicy(options.policy, context);
  const station = await startStation(startOptions(options, context));
  try {
    const { url, pairingCode } = station;
    output.say('serving', { url }, `Twostep is at ${url}`);
    if (pairingCode !== undefined) {
      output.say('pairing', { code: pairingCode }, `Browsers ask once for this code: ${pairingCode}`);
    }
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await station.close();
  }
}

function startOptions(options: ServeOptions, { env, output }: CommandContext): StartOptions {
  const { tlsCert, tlsKey, behindProxy, releases, virtualBoards } = options;
  return {
    ...parseTcpAddress(options.listen),
    data: options.data ?? defaultDataFolder({ env }),
    ...(tlsCert !== undefined && { tlsCert }),
    ...(tlsKey !== undefined && { tlsKey }),
    ...(behindProxy !== undefined && { behindProxy }),
    ...(releases !== undefined && { releases }),
    ...(virtualBoards !== undefined && { virtualBoards }),
    boardsListen: parseBoardsListen(options.boardsListen),
    pageFolder: PAGE_FOLDER,
    version: VERSION,
    log: (line) => output.complain(line),
  };
}

/** The file alone goes to standard output, where it goes to is for whoever reads. */
function showPolicy(address: string, { output }: CommandContext): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'http:') {
    throw new InputError('policy-origin', `"${address}" is not where a page is served over plain http`, {
      todo: 'Give the address of the page as the browser shows it, such as http://bench.local:4600',
    });
  }
  const policy = insecureOriginPolicy(url.origin);
  output.document(JSON.parse(policy), policy);
  const places = POLICY_PLACES.map(({ browser, place }) => `  ${browser}: ${place}`);
  output.complain(['It goes to, and counts after a restart of the browser:', ...places].join('\n'));
}

/** @throws {InvalidArgumentError} */
function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Give a port from 1 to 65535.');
}

export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('serve the page, and update boards on the network from it; needed by it for the Update screen')
    .option(
      '--listen <address>',
      'HOST:PORT of the page; beyond this computer with TLS or behind a proxy only',
      '127.0.0.1:4600',
    )
    .option(
      '--data <folder>',
      'where releases, boards and runs are kept; for one station at a time (default: per user)',
    )
    .option('--releases <folder>', 'take the release files and build folders that are put there')
    .option('--tls-cert <file>', 'certificate, PEM, for https')
    .option('--tls-key <file>', 'its key')
    .option(
      '--behind-proxy <origin>',
      'what browsers see of the proxy in front, which sends X-Forwarded-Host and -Proto',
    )
    .option(
      '--boards-listen <address>',
      'ADDRESS:PORT from which boards download, opened when the user agrees',
      `0.0.0.0:${BOARDS_PORT}`,
    )
    .option(
      '--virtual-boards <port>',
      'a search finds virtual boards of this computer too: those at 127.0.0.1 to 127.0.0.254 on that port',
      parsePort,
    )
    .addOption(
      new Option('--policy <origin>', 'only show a policy by which Chrome allows Web Serial on that plain http origin'),
    )
    .option('--json', 'one JSON object a line')
    .action((options: ServeOptions) => serveCommand(options, context));
}
