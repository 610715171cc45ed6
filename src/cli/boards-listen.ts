/** `--boards-listen`: where boards fetch their files from. */
import { isIPv4 } from 'node:net';
import { InputError } from './input-error.ts';
import { parseTcpAddress } from './ports/port-name.ts';
import { type TcpAddress } from './ports/tcp-socket.ts';

/** @throws {InputError} `boards-listen`, `tcp-address`. */
export function parseBoardsListen(text: string): TcpAddress {
  const address = parseTcpAddress(text);
  if (isIPv4(address.host)) return address;
  throw new InputError('boards-listen', `"${text}" is no IPv4 address with a port`, {
    todo: 'Give an address of this computer in the network of the boards, or 0.0.0.0 for all of them.',
  });
}
