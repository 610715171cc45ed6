/** nginx, the one of this computer or of Debian's package, on a free port of this computer. Nothing is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds. */
const START_LIMIT = 5000;
const DOWNLOAD_LIMIT = 60_000;

/**
 * The program: of this computer, else unpacked from Debian's package into `folder`.
 *
 * @returns why there is none, if there is none.
 */
export function findNginx(
  folder: string,
  { mayDownload }: { mayDownload: boolean },
): { path: string } | { missing: string } {
  const installed = ['/usr/sbin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx'].find((path) =>
    existsSync(path),
  );
  if (installed) return { path: installed };
  if (!mayDownload) return { missing: 'nginx is not installed' };
  const run = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { cwd: folder, stdio: 'ignore', timeout: DOWNLOAD_LIMIT }).status === 0;
  if (!run('apt-get', 'download', 'nginx'))
    return { missing: 'nginx is not installed, and its package cannot be downloaded' };
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.deb'))) run('dpkg', '-x', name, folder);
  const path = join(folder, 'usr', 'sbin', 'nginx');
  // A package of another release may ask for libraries that are not there.
  const starts = existsSync(path) && spawnSync(path, ['-v'], { stdio: 'ignore' }).status === 0;
  return starts ? { path } : { missing: 'the nginx of the package does not start' };
}

export interface Nginx {
  port: number;
  end(): Promise<void>;
}

/** Serves the files of a folder as `/f/NAME`, with the settings of Debian's package but for its log. */
export async function startNginx(
  program: string,
  { folder, files }: { folder: string; files: string },
): Promise<Nginx> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configuration({ folder, files, port }));
  const child = spawn(program, ['-p', folder, '-c', config, '-e', join(folder, 'error.log')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await answering(port, child);
  return {
    port,
    end: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function configuration({ folder, files, port }: { folder: string; files: string; port: number }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes auto;
pid ${folder}/nginx.pid;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  access_log off;
  default_type application/octet-stream;
  ${temporary.join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    location /f/ { alias ${files}/; }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + START_LIMIT; performance.now() < end; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isThere) return;
  }
  throw new Error(`nginx did not listen within ${START_LIMIT} ms`);
}
