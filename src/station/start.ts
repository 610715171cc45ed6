/** Starts a station on this computer: what `twostep serve` and `npm start` do. */
import { systemClock } from '#clock.ts';
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { BOARDS_PORT } from './boards-port.ts';
import { type BoardFiles, createBoardFiles } from './board-files/board-files.ts';
import { type TlsFiles } from './http-server.ts';
import { type BoardNetwork, createBoardNetwork } from './network/board-network.ts';
import { type Door, isAnyAddress, isLoopbackName } from './security/own-hosts.ts';
import { StartError } from './start-error.ts';
import { createStation, type Station } from './station.ts';

export interface StartOptions {
  /** An address, or `localhost`. */
  host: string;
  /** 0: any that is free. */
  port: number;
  /** Made when it is not there. */
  data: string;
  /** Paths of PEM files, given together. */
  tlsCert?: string;
  tlsKey?: string;
  /** What browsers see of the proxy in front of it, such as `https://bench.example`. */
  behindProxy?: string;
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
  const { host, port, data, behindProxy, releases, pageFolder, version, log } = options;
  const tls = await readTls(options);
  checkDoor(options, tls !== undefined);
  const folder = resolve(data);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new StartError('data-unusable', `The folder ${folder} cannot be made`, {
      todo: 'Give another one with --data.',
      cause,
    });
  });
  const page = pageFolder !== undefined && existsSync(pageFolder) ? pageFolder : undefined;
  if (pageFolder !== page) log('The page is not built (npm run build): only the API is served');
  const door: Omit<Door, 'port' | 'ownAddresses'> = {
    host,
    ...(behindProxy !== undefined && { proxyOrigin: behindProxy }),
    ...(tls && { isCertified: certifiedBy(tls) }),
  };
  const station = await createStation({
    ...lan,
    ...{ data: folder, version, door, log, clock: systemClock, now: Date.now },
    ...(tls && { tls }),
    ...(page !== undefined && { pageFolder: page }),
    ...(releases !== undefined && { releasesFolder: resolve(releases) }),
  });
  try {
    await station.server.listen({ host, port });
  } catch (error) {
    await station.close();
    throw listenError(error as NodeJS.ErrnoException, { host, port });
  }
  const address = station.server.server.address();
  const actual = typeof address === 'object' && address ? address.port : port;
  const needsCode = behindProxy !== undefined || !isLoopbackName(host);
  const shown = isAnyAddress(host) ? (lan.network.networks()[0]?.address ?? '127.0.0.1') : host;
  const named = shown.includes(':') ? `[${shown}]` : shown;
  return {
    url: new URL(behindProxy ?? `${tls ? 'https' : 'http'}://${named}:${actual}`).href,
    ...(needsCode && { pairingCode: station.pairingCode }),
    close: station.close,
  };
}

/** @throws {StartError} `insecure-listen`, `proxy-origin`. */
function checkDoor({ host, behindProxy }: StartOptions, tls: boolean): void {
  if (!tls && !isLoopbackName(host)) {
    throw new StartError('insecure-listen', `Over plain http a station listens on this computer only, not on ${host}`, {
      todo: 'Give --tls-cert and --tls-key, or have it on 127.0.0.1 behind a proxy (--behind-proxy).',
    });
  }
  if (behindProxy === undefined) return;
  const url = URL.canParse(behindProxy) ? new URL(behindProxy) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== behindProxy.replace(/\/$/, '').toLowerCase()) {
    throw new StartError('proxy-origin', `"${behindProxy}" is not what browsers see of a proxy`, {
      todo: 'Give it without a path, such as https://bench.example',
    });
  }
}

/** @throws {StartError} `tls-unusable`. */
async function readTls({ tlsCert, tlsKey }: StartOptions): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  const todo = 'Give the PEM files of a certificate and of its key with --tls-cert and --tls-key.';
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new StartError('tls-unusable', 'A certificate is of no use without its key, and the other way round', {
      todo,
    });
  }
  try {
    const [cert, key] = await Promise.all([readFile(tlsCert), readFile(tlsKey)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new StartError('tls-unusable', 'The certificate and its key cannot be used', { todo, cause });
  }
}

/** Whether the certificate is for a name or an address. */
function certifiedBy({ cert }: TlsFiles): (name: string) => boolean {
  const certificate = new X509Certificate(cert);
  return (name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
}

function listenError(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): StartError {
  if (error.code === 'EADDRINUSE') {
    return new StartError('port-in-use', `Port ${port} of ${host} is in use`, {
      todo: `Give another one, such as --listen ${host}:${port + 1}.`,
      cause: error,
    });
  }
  return new StartError('listen-failed', `It cannot listen on ${host}:${port} (${error.code ?? error.message})`, {
    todo: 'Give an address of this computer and a free port with --listen.',
    cause: error,
  });
}
