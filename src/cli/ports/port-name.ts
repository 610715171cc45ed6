/** What `--port` may name. */
import { chipByName } from '#formats/chips.ts';
import { InputError } from '../input-error.ts';
import { type Rfc2217Options } from './rfc2217-connection.ts';
import { type TcpAddress } from './tcp-socket.ts';

export type PortName =
  | { kind: 'serial'; path: string }
  | { kind: 'tcp'; uart: TcpAddress; control?: TcpAddress }
  | { kind: 'rfc2217'; address: TcpAddress; options: Partial<Rfc2217Options> }
  | { kind: 'virtual'; chip: VirtualChip; file?: string; wiring: 'uart' | 'usb-serial-jtag' };

/**
 * `/dev/ttyUSB0`, `COM3`, `tcp://HOST:PORT[?control=PORT]`, `rfc2217://HOST:PORT[?OPTION[&OPTION…]]`, `virtual:CHIP[@FILE]`.
 *
 * @throws {InputError} `port-name`.
 */
export function parsePortName(text: string): PortName {
  if (text.startsWith('tcp://')) return parseTcp(text);
  if (text.startsWith('rfc2217://')) return parseRfc2217(text);
  if (text.startsWith('virtual:')) return parseVirtual(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || text.trim() === '') {
    throw noPort(text);
  }
  return { kind: 'serial', path: text };
}

/**
 * `HOST:PORT`, `[::1]:PORT` or `PORT` alone for this machine.
 *
 * @throws {InputError} `tcp-address`.
 */
export function parseTcpAddress(text: string): TcpAddress {
  const match = /^(?:(?:\[(?<six>[0-9a-f:]+)\]|(?<host>[^:\s/]+)):)?(?<port>\d{1,5})$/i.exec(text);
  const port = Number(match?.groups?.['port']);
  if (!match || port > 65_535) throw new InputError('tcp-address', `"${text}" is not HOST:PORT`);
  return { host: match.groups?.['six'] ?? match.groups?.['host'] ?? '127.0.0.1', port };
}

/** For the help of commands and for errors. */
export const PORT_FORMS =
  '/dev/ttyUSB0, COM3, rfc2217://HOST:PORT, tcp://HOST:PORT[?control=PORT] or virtual:CHIP[@FILE]';

const noPort = (text: string, todo = `Give ${PORT_FORMS}.`): InputError =>
  new InputError('port-name', `"${text}" names no port`, { todo });

function parseTcp(text: string): PortName {
  const url = parseUrl(text);
  const uart = parseTcpAddress(url.host);
  const control = url.searchParams.get('control');
  return { kind: 'tcp', uart, ...(control === null ? {} : { control: controlAddress(control, uart) }) };
}

/** Seconds. */
const LONGEST_TIMEOUT = 3600;

/** With the options of pyserial; of these `logging` and `poll_modem` are about what is never done here. */
function parseRfc2217(text: string): PortName {
  const url = parseUrl(text);
  const options: { ignoreControlAnswers?: boolean; answerMs?: number } = {};
  for (const [name, value] of url.searchParams) {
    if (name === 'ign_set_control') options.ignoreControlAnswers = true;
    else if (name === 'timeout' && Number(value) > 0 && Number(value) <= LONGEST_TIMEOUT)
      options.answerMs = Number(value) * 1000;
    else if (name !== 'logging' && name !== 'poll_modem')
      throw noPort(text, 'The options of rfc2217:// are ign_set_control, timeout=SECONDS, logging and poll_modem.');
  }
  return { kind: 'rfc2217', address: parseTcpAddress(url.host), options };
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // Not a URL at all: said like every other mistake.
    throw noPort(text);
  }
}

const controlAddress = (text: string, uart: TcpAddress): TcpAddress =>
  /^\d+$/.test(text) ? { host: uart.host, port: parseTcpAddress(text).port } : parseTcpAddress(text);

/** Chips that the virtual board can be. */
export const VIRTUAL_CHIPS = ['esp32', 'esp32s3', 'esp32c3'] as const;
export type VirtualChip = (typeof VIRTUAL_CHIPS)[number];

/**
 * @throws {InputError} `virtual-chip`.
 */
export function parseVirtualChip(text: string): VirtualChip {
  const name = chipByName(text)?.name;
  const chip = VIRTUAL_CHIPS.find((candidate) => candidate === name);
  if (!chip) {
    throw new InputError('virtual-chip', `There is no virtual ${text}`, {
      todo: `The virtual board can be ${VIRTUAL_CHIPS.join(', ')}.`,
    });
  }
  return chip;
}

/** The network that the virtual board of `--port virtual:` finds. */
export const DEMO_NETWORK = { ssid: 'workshop', password: 'two steps ahead' } as const;

/**
 * `SSID:PASSWORD`; the password may hold colons, and be empty for an open network.
 *
 * @throws {InputError} `wifi-network`.
 */
export function parseWifiNetwork(text: string): { ssid: string; password: string } {
  const colon = text.indexOf(':');
  const ssid = colon < 0 ? text : text.slice(0, colon);
  if (ssid === '')
    throw new InputError('wifi-network', 'The network of the virtual board has no name', {
      todo: 'Give SSID:PASSWORD.',
    });
  return { ssid, password: colon < 0 ? '' : text.slice(colon + 1) };
}

/** `esp32`, `esp32c3+usb` (the chip's own USB), each with `@FILE`. */
function parseVirtual(text: string): PortName {
  const [board = '', ...file] = text.slice('virtual:'.length).split('@');
  const [chip = '', usb] = board.split('+');
  const name = parseVirtualChip(chip);
  if (usb !== undefined && (usb !== 'usb' || name === 'esp32')) throw noPort(text);
  return {
    kind: 'virtual',
    chip: name,
    wiring: usb === 'usb' ? 'usb-serial-jtag' : 'uart',
    ...(file.length > 0 ? { file: file.join('@') } : {}),
  };
}
