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
  /** Called with all of the output whenever more of it has come. */
  onOutput?: (out: string) => void;
  env?: Record<string, string>;
  tty?: boolean;
  /** Lines that somebody at a terminal types, ahead of the questions. */
  typed?: string[];
}

export async function runCli(
  args: string[],
  { stdin = '', interruptAt, onOutput, env = {}, tty = false, typed }: CliInput = {},
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
          onOutput?.(out);
        },
      },
      err: { write: (text) => (err += text) },
    },
    stdin: Object.assign(Readable.from([Buffer.from(typed ? typed.map((line) => `${line}\n`).join('') : stdin)]), {
      isTTY: typed !== undefined,
    }),
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
