/** The network of `twostep virtual`: which firmware serves where, and what goes wrong there. */
import { type Clock } from '#clock.ts';
import { FIRMWARE_NAMES, type FirmwareName, firmwareByName } from '#sim/firmware/firmwares.ts';
import { type AccessPoint } from '#sim/machine.ts';
import { Wifi } from '#sim/network/wifi.ts';
import { type StartFirmware } from '#sim/virtual-esp32-options.ts';
import { type AddressInfo, createServer, isIP } from 'node:net';
import { InputError } from './input-error.ts';
import { parseNetworkFaults } from './network-fault-option.ts';
import { NodeLan } from './node-lan.ts';
import { parseTcpAddress, parseWifiNetwork } from './ports/port-name.ts';
import { type TcpAddress } from './ports/tcp-socket.ts';

export interface NetworkOptions {
  http?: string;
  firmware?: string;
  wifi?: string;
  networkFault?: string;
}

export interface VirtualNetwork {
  /** What the board finds and runs, for `VirtualEsp32`. */
  readonly board: {
    readonly network: { readonly accessPoint?: AccessPoint } | Wifi;
    readonly startFirmware: StartFirmware;
  };
  /** With `--http`. */
  readonly wifi: Wifi | undefined;
  /** `HOST:PORT` where the board serves once it is online. */
  readonly http: string | undefined;
}

/** What goes with the options. */
export interface NetworkSurroundings {
  readonly clock: Clock;
  /** The board has joined and serves there: after every start, not always at the same address. */
  onServes(http: string): void;
  /** It cannot listen there after all. */
  onError(error: InputError): void;
}

/**
 * Makes sense of the options, and sees that the board can listen where it is to.
 *
 * @throws {InputError} `firmware`, `http-address`, `network-fault`, `wifi-network` or `tcp-address`.
 */
export async function virtualNetwork(
  options: NetworkOptions,
  { clock, ...events }: NetworkSurroundings,
): Promise<VirtualNetwork> {
  const firmware = parseFirmware(options.firmware ?? 'house');
  const accessPoint = options.wifi === undefined ? undefined : parseWifiNetwork(options.wifi);
  const faults = options.networkFault === undefined ? [] : parseNetworkFaults(options.networkFault);
  if (options.http === undefined) {
    if (faults.length > 0) {
      throw new InputError('network-fault', 'A board that is not on the network has no --network-fault', {
        todo: 'Give --http as well.',
      });
    }
    const network = accessPoint ? { accessPoint } : {};
    return { board: { network, startFirmware: firmwareByName(firmware) }, wifi: undefined, http: undefined };
  }
  const { host, port } = await freePlace(parseTcpAddress(options.http));
  for (const fault of faults) if (fault.kind === 'new-address') await freePlace({ host: fault.address, port });
  const wifi = new Wifi({
    clock,
    accessPoint: accessPoint ?? 'any',
    address: host,
    lan: (address) => {
      const place = { host: address, port };
      return new NodeLan(address, {
        onListening: () => events.onServes(placeText(place)),
        onError: (error) => events.onError(cannotListen(place, error)),
      });
    },
    faults,
  });
  const startFirmware = firmwareByName(firmware, { port });
  return { board: { network: wifi, startFirmware }, wifi, http: placeText({ host, port }) };
}

const placeText = ({ host, port }: TcpAddress): string => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

const cannotListen = (place: TcpAddress, { code = 'unknown cause' }: NodeJS.ErrnoException): InputError =>
  new InputError('http-address', `A board cannot listen on ${placeText(place)} (${code})`, {
    todo: 'Give an address of this machine and a port that is free.',
  });

function parseFirmware(text: string): FirmwareName {
  const name = FIRMWARE_NAMES.find((known) => known === text);
  if (name) return name;
  throw new InputError('firmware', `There is no virtual firmware ${text}`, {
    todo: `Give ${FIRMWARE_NAMES.join(', ')}.`,
  });
}

/** The address as it is, the port chosen where it is 0. */
async function freePlace({ host, port }: TcpAddress): Promise<TcpAddress> {
  if (isIP(host) === 0) {
    throw new InputError('http-address', `"${host}" is not the address of a board`, {
      todo: 'Give its own address in numbers, such as 127.0.0.2:8080.',
    });
  }
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(cannotListen({ host, port }, error));
    });
    server.listen(port, host, () => {
      const taken = (server.address() as AddressInfo).port;
      server.close(() => resolve({ host, port: taken }));
    });
  });
}
