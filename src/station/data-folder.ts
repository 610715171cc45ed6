/** Where the station keeps what it knows, unless it is told. */
import { homedir, platform } from 'node:os';
import { join } from 'node:path';

export interface UserPlaces {
  env: Readonly<Record<string, string | undefined>>;
  home?: string;
  system?: NodeJS.Platform;
}

/** `XDG_DATA_HOME`, or what the system has in its place for the data of one user on one computer. */
export function defaultDataFolder({ env, home = homedir(), system = platform() }: UserPlaces): string {
  if (system === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'twostep');
  if (system === 'darwin') return join(home, 'Library', 'Application Support', 'twostep');
  return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'twostep');
}
