/** Runs the command line inside the test, with its output caught. */
import { Readable } from 'node:stream';
import { runCommandLine } from '../../src/cli/program.ts';

export interface CliResult {
  code: number;
  out: string;
  err: string;
  /** The records of `--json`: one a line, or the one document. */
  records: Record<string, unknown>[];
}

export interface CliInput {
  stdin?: string;
  /** Interrupts (Ctrl-C) as soon as the output contains this. */
  interruptAt?: string;
  env?: Record<string, string>;
  tty?: boolean;
}

export async function runCli(
  args: string[],
  { stdin = '', interruptAt, env = {}, tty = false }: CliInput = {},
): Promise<CliResult> {
  let out = '';
  let err = '';
  let interrupt = (): void => undefined;
  const code = await runCommandLine(args, {
    streams: {
      out: {
        isTTY: tty,
        columns: 100,
        write: (text) => {
          out += text;
          if (interruptAt !== undefined && out.includes(interruptAt)) interrupt();
        },
      },
      err: { write: (text) => (err += text) },
    },
    stdin: Readable.from([Buffer.from(stdin)]),
    env,
    onInterrupt: (callback) => (interrupt = callback),
  });
  const records = args.includes('--json') ? readRecords(out) : [];
  return { code, out, err, records };
}

/** A document stands on several lines, of which the first alone is no JSON. */
function readRecords(out: string): Record<string, unknown>[] {
  const lines = /^[[{]\n/.test(out) ? [out] : out.trim().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
