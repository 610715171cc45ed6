/** Which MAC has which address, as this computer has learned it by speaking to it: the neighbour table of the system. IPv4 only. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { promisify } from 'node:util';

export interface Neighbour {
  address: string;
  /** Lower case, with colons. */
  mac: string;
}

const TABLE_OF_LINUX = '/proc/net/arp';
const COMMAND_LIMIT_MS = 5000;

/** Where the table cannot be read nobody is known: a board is found by its page then. */
export async function readNeighbours(): Promise<Neighbour[]> {
  try {
    if (process.platform === 'linux') return parseLinuxTable(await readFile(TABLE_OF_LINUX, 'latin1'));
    // Without -n the command of BSD and macOS asks a name server for each of them; that of Windows does not, and has no -n.
    const flags = process.platform === 'win32' ? '-a' : '-an';
    const { stdout } = await promisify(execFile)('arp', [flags], { timeout: COMMAND_LIMIT_MS, windowsHide: true });
    return parseArpOutput(stdout);
  } catch {
    return []; // no such table or command here
  }
}

/** Of a flag word: the entry is complete. include/uapi/linux/if_arp.h, ATF_COM. */
const COMPLETE = 0x2;

/** `/proc/net/arp`: address, hardware type, flags, hardware address, mask, device. */
export function parseLinuxTable(text: string): Neighbour[] {
  return text.split('\n').flatMap((line) => {
    const [address, , flags, mac] = line.trim().split(/\s+/);
    return (Number(flags) & COMPLETE) === 0 ? [] : neighbour(address, mac);
  });
}

/** `? (192.168.1.57) at 7c:df:a1:0:3f:1 on en0` of BSD and macOS, `192.168.1.57   7c-df-a1-00-3f-01   dynamic` of Windows. */
export function parseArpOutput(text: string): Neighbour[] {
  return text.split('\n').flatMap((line) => {
    const found = /(?<address>\d+(?:\.\d+){3})\)?\s+(?:at\s+)?(?<mac>[0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5})\b/i.exec(
      line,
    );
    return neighbour(found?.groups?.['address'], found?.groups?.['mac']);
  });
}

function neighbour(address: string | undefined, mac: string | undefined): Neighbour[] {
  const octets = mac?.split(/[:-]/).map((octet) => octet.padStart(2, '0').toLowerCase()) ?? [];
  const first = Number.parseInt(octets[0] ?? '', 16);
  // Groups and broadcast have the lowest bit set; an entry of zeros is none yet.
  if (address === undefined || octets.length !== 6 || (first & 1) === 1 || octets.every((octet) => octet === '00'))
    return [];
  return [{ address, mac: octets.join(':') }];
}
