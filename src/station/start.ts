/** Starts a station on this computer: what `twostep serve` and `npm start` do. */
import { systemClock } from '#clock.ts';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { BOARDS_PORT, portInstead } from './boards-port.ts';
import { type BoardFiles, createBoardFiles } from './board-files/board-files.ts';
import { type BoardNetwork, createBoardNetwork } from './network/board-network.ts';
import { type DoorOptions, frontDoor } from './security/front-door.ts';
import { isAnyAddress, isLoopbackName } from './security/own-hosts.ts';
import { StartError } from './start-error.ts';
import { createStation, type Station } from './station.ts';

export interface StartOptions extends DoorOptions {
  /** 0: any that is free. */
  port: number;
  /** Made when it is not there. */
  data: string;
  /** Folder from which releases are taken. */
  releases?: string;
  /** Folder of the built page. */
  pageFolder?: string;
  version: string;
  /** Lines for whoever runs it; never a secret. */
  log: (line: string) => void;
  /** Where boards fetch their files from: an address of this computer, or `0.0.0.0` for all. */
  boardsListen?: { host: string; port: number };
  /** Port of the virtual boards on this computer, which a search is to find too. */
  virtualBoards?: number;
}

/** What the station reaches boards by. */
export interface Lan {
  network: BoardNetwork;
  files: BoardFiles;
}

/** A station in the networks that this computer is in. @throws {StartError} as `startStation`. */
export function startHere(options: StartOptions): Promise<RunningStation> {
  const network = createBoardNetwork({ virtualBoards: options.virtualBoards });
  const { host: address, port } = options.boardsListen ?? { host: '0.0.0.0', port: BOARDS_PORT };
  return startStation(options, { network, files: createBoardFiles({ address, port, network }) });
}

export interface RunningStation extends Pick<Station, 'close'> {
  /** Where the page is, such as `http://127.0.0.1:4600/`. */
  url: string;
  /** Set where browsers are asked for it. */
  pairingCode?: string;
}

/** @throws {StartError} that says what to do; nothing is left running then. */
export async function startStation(options: StartOptions, lan: Lan): Promise<RunningStation> {
  const { host, port, behindProxy, releases, version, log } = options;
  const front = await frontDoor(options);
  const data = await makeFolder(options.data);
  const page = builtPage(options);
  const station = await createStation({
    ...{ ...lan, ...front, data, version, log, clock: systemClock, now: Date.now },
    ...(page !== undefined && { pageFolder: page }),
    ...(releases !== undefined && { releasesFolder: resolve(releases) }),
  });
  try {
    await station.server.listen({ host, port });
  } catch (error) {
    await station.close();
    throw listenError(error as NodeJS.ErrnoException, { host, port });
  }
  const needsCode = behindProxy !== undefined || !isLoopbackName(host);
  return {
    url: new URL(behindProxy ?? ownOrigin(station, { host, isTls: front.tls !== undefined, network: lan.network }))
      .href,
    ...(needsCode && { pairingCode: station.pairingCode }),
    close: station.close,
  };
}

/** @returns its absolute path. @throws {StartError} `data-unusable`. */
async function makeFolder(path: string): Promise<string> {
  const folder = resolve(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch (cause) {
    throw new StartError('data-unusable', `The folder ${folder} cannot be made`, {
      todo: 'Give another one with --data.',
      cause,
    });
  }
}

function builtPage({ pageFolder, log }: StartOptions): string | undefined {
  if (pageFolder === undefined || existsSync(pageFolder)) return pageFolder;
  log('The page is not built (npm run build): only the API is served');
  return undefined;
}

/** By an address that other computers can use, where it listens on all of this one's. */
function ownOrigin(
  { server }: Station,
  { host, isTls, network }: { host: string; isTls: boolean; network: BoardNetwork },
): string {
  const { port } = server.server.address() as AddressInfo;
  const shown = isAnyAddress(host) ? (network.networks()[0]?.address ?? '127.0.0.1') : host;
  return `${isTls ? 'https' : 'http'}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
}

function listenError(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): StartError {
  if (error.code === 'EADDRINUSE') {
    return new StartError('port-in-use', `Port ${port} of ${host} is in use`, {
      todo: `Give another one, such as --listen ${host}:${portInstead(port)}.`,
      cause: error,
    });
  }
  return new StartError('listen-failed', `It cannot listen on ${host}:${port} (${error.code ?? error.message})`, {
    todo: 'Give an address of this computer and a free port with --listen.',
    cause: error,
  });
}
