/** The door of a station as it is asked for: on which address, with which certificate, behind which proxy. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { type TlsFiles } from '../http-server.ts';
import { StartError } from '../start-error.ts';
import { type Door, isLoopbackName } from './own-hosts.ts';

export interface DoorOptions {
  /** An address, or `localhost`. */
  host: string;
  /** Paths of PEM files, given together. */
  tlsCert?: string;
  tlsKey?: string;
  /** What browsers see of the proxy in front of it, such as `https://bench.example`. */
  behindProxy?: string;
}

export interface FrontDoor {
  door: Omit<Door, 'port' | 'ownAddresses'>;
  tls?: TlsFiles;
}

/** @throws {StartError} `tls-unusable`, `insecure-listen`, `proxy-origin`. */
export async function frontDoor(options: DoorOptions): Promise<FrontDoor> {
  const { host, behindProxy } = options;
  const tls = await readTls(options);
  checkDoor(options, tls !== undefined);
  const door = {
    host,
    ...(behindProxy !== undefined && { proxyOrigin: behindProxy }),
    ...(tls && { isCertified: certifiedBy(tls) }),
  };
  return { door, ...(tls && { tls }) };
}

/** @throws {StartError} `insecure-listen`, `proxy-origin`. */
function checkDoor({ host, behindProxy }: DoorOptions, tls: boolean): void {
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
async function readTls({ tlsCert, tlsKey }: DoorOptions): Promise<TlsFiles | undefined> {
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
