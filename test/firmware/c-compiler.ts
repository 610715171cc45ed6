/** The system's C compiler, for tests of what the firmware folder gives to authors of firmware. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const works = (command: string, args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Name of the compiler, or `undefined` where there is none. */
export const compiler = ['cc', 'gcc', 'clang'].find((name) => works(name, ['--version']));

const WARNINGS = ['-std=c99', '-Wall', '-Wextra', '-Werror', '-pedantic'];

/** Options that make a wrong read stop the program, where they work. */
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
let sanitizers: string[] | undefined;

/** Compiles one file with `firmware/` on its path; fails with what the compiler says. */
export function compile(source: string, program: string, options: string[] = []): void {
  sanitizers ??= sanitizersWork() ? SANITIZERS : [];
  execFileSync(compiler!, [...WARNINGS, ...sanitizers, '-Ifirmware', ...options, source, '-o', program], {
    stdio: 'pipe',
  });
}

function sanitizersWork(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'twostep-cc-'));
  writeFileSync(join(folder, 'empty.c'), 'int main(void) { return 0; }\n');
  const program = join(folder, 'empty');
  const found = works(compiler!, [...SANITIZERS, join(folder, 'empty.c'), '-o', program]) && works(program, []);
  rmSync(folder, { recursive: true });
  return found;
}
