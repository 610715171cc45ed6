/** The hosts by name; each is loaded in its own process only. */
import { type Client } from './client.ts';

const LOADERS = {
  twostep: () => import('./twostep.ts'),
  'esptool-js': () => import('./esptool-js.ts'),
  tasmota: () => import('./tasmota.ts'),
  floor: () => import('./floor.ts'),
} as const satisfies Record<string, () => Promise<{ client: Client }>>;

export type ClientName = keyof typeof LOADERS;

/** Those that are measured; the floor is what they stand on. */
export const CLIENTS: readonly ClientName[] = ['twostep', 'esptool-js', 'tasmota'];

export const loadClient = async (name: ClientName): Promise<Client> => (await LOADERS[name]()).client;
