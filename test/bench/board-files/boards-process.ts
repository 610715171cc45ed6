/** Boards that download as esp_https_ota does: HEAD, then ranges, a new connection for each, closed as soon as everything is there. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import process from 'node:process';
import { wallMs } from '../measure.ts';
import { answerRequests } from '../flash/requests.ts';
import { type Downloaded, type DownloadOrder } from './orders.ts';

const LIMIT_MS = 30_000;

interface Answer {
  status: number;
  length: number;
  body: Buffer;
}

async function download({ port, names, original, rangeSize }: DownloadOrder): Promise<Downloaded> {
  const bytes = readFileSync(original);
  const failures = new Set<string>();
  let requests = 0;
  const ask = (method: string, name: string, range = ''): Promise<Answer> => {
    requests++;
    return request(port, `${method} /f/${name} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${range}\r\n`);
  };
  const board = async (name: string): Promise<void> => {
    const head = await ask('HEAD', name);
    if (head.status !== 200 || head.length !== bytes.length)
      throw new Error(`HEAD: ${head.status}, ${head.length} bytes`);
    for (let from = 0; from < bytes.length; from += rangeSize) {
      const to = Math.min(from + rangeSize, bytes.length);
      const { status, body } = await ask('GET', name, `Range: bytes=${from}-${to < bytes.length ? to - 1 : ''}\r\n`);
      if (status !== 206 || !body.equals(bytes.subarray(from, to)))
        throw new Error(`GET ${from}: ${status}, ${body.length} bytes`);
    }
  };
  const ms = await wallMs(() =>
    Promise.all(names.map((name) => board(name).catch((error: unknown) => failures.add(String(error))))),
  );
  return { ms, requests, failures: [...failures] };
}

function request(port: number, text: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const chunks: Buffer[] = [];
    let received = 0;
    let wanted: { status: number; length: number; bodyAt: number; end: number } | undefined;
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('Nothing came for too long')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`Closed after ${received} bytes`)));
    socket.on('connect', () => socket.write(text, 'latin1'));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      wanted ??= readHead(Buffer.concat(chunks), text.startsWith('GET'));
      if (!wanted || received < wanted.end) return;
      const { status, length, bodyAt } = wanted;
      resolve({ status, length, body: Buffer.concat(chunks).subarray(bodyAt) });
      socket.destroy();
    });
  });
}

function readHead(
  bytes: Buffer,
  hasBody: boolean,
): { status: number; length: number; bodyAt: number; end: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const text = bytes.toString('latin1', 0, end);
  const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? -1);
  return { status: Number(text.split(' ', 2)[1]), length, bodyAt: end + 4, end: end + 4 + (hasBody ? length : 0) };
}

answerRequests({ download });
process.once('disconnect', () => process.exit());
