import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** Where the built page lies: the folder that `TWOSTEP_PAGE` names, else `folder`, into which it is built then. */
export function builtPage(folder: string): string {
  const built = process.env['TWOSTEP_PAGE'];
  if (built !== undefined) return built;
  const vite = join(ROOT, 'node_modules', '.bin', 'vite');
  // With the test runner's own it would become another build than the one that is published.
  const mine = (name: string): boolean => !/^(VITEST|NODE_ENV|MODE|DEV|PROD|SSR|BASE_URL)/.test(name);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => mine(name)));
  const args = ['build', '--outDir', folder, '--emptyOutDir', '--logLevel', 'error'];
  const { status, stderr } = spawnSync(vite, args, { cwd: ROOT, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`vite build ended with ${status}: ${stderr}`);
  return folder;
}
