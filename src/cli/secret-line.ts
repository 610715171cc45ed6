/** A password from standard input: never echoed, never kept. */
import { type Readable } from 'node:stream';
import { InputError } from './input-error.ts';
import { type OutputStreams } from './output.ts';

interface SecretSource {
  signal: AbortSignal;
  stdin: Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };
  streams: OutputStreams;
}

/** Longer than any Wi-Fi password: somebody piped the wrong file. */
const MAX_LENGTH = 1024;

/**
 * The first line of `stdin`, without its line end. On a terminal it is read without echo.
 *
 * @throws {InputError} `password-not-text`, `password-missing`.
 */
export async function readSecretLine({ stdin, streams, signal }: SecretSource): Promise<string> {
  signal.throwIfAborted();
  const stop = (): void => void stdin.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  if (stdin.isTTY) streams.err.write('Wi-Fi password: ');
  const chunks: Buffer[] = [];
  if (stdin.isTTY) stdin.setRawMode?.(true);
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      const bytes = Buffer.from(chunk);
      // Ctrl-C does not make a signal in raw mode.
      if (stdin.isTTY && bytes.includes(3)) throw new DOMException('Aborted at the password', 'AbortError');
      // Ctrl-D ends the input; it is no character of a password.
      const end = stdin.isTTY ? bytes.indexOf(4) : -1;
      chunks.push(end < 0 ? bytes : bytes.subarray(0, end));
      if (end >= 0) break;
      if (/[\r\n]/.test(bytes.toString('latin1')) || Buffer.concat(chunks).length > MAX_LENGTH) break;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    if (stdin.isTTY) {
      stdin.setRawMode?.(false);
      streams.err.write('\n');
    }
  }
  const [line = ''] = Buffer.concat(chunks)
    .toString('utf8')
    .split(/\r?\n|\r/);
  if (line.length > MAX_LENGTH || line.includes('\ufffd') || line.includes('\0')) {
    throw new InputError('password-not-text', 'Standard input does not begin with a line of text');
  }
  if (line === '') {
    throw new InputError('password-missing', 'No password came from standard input', {
      todo: 'For an open network leave --wifi-password-stdin out.',
    });
  }
  // In raw mode backspace is a character like any other.
  return stdin.isTTY ? applyBackspaces(line) : line;
}

function applyBackspaces(line: string): string {
  const kept: string[] = [];
  for (const character of line) {
    if (character === '\u007f' || character === '\b') kept.pop();
    else kept.push(character);
  }
  return kept.join('');
}
