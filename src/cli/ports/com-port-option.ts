/** The COM-PORT-OPTION of Telnet (RFC 2217): settings and control lines of a serial port at the other end. Pure. */
import { viewOf } from '#formats/bytes.ts';
import { encodeSubnegotiation, TelnetOption } from './telnet.ts';

/** Commands of the client. The server's answer to each is its number plus `ANSWER`. */
export const ComPort = {
  Signature: 0,
  BaudRate: 1,
  DataSize: 2,
  Parity: 3,
  StopSize: 4,
  Control: 5,
  LineState: 6,
  ModemState: 7,
  LineStateMask: 10,
  ModemStateMask: 11,
  Purge: 12,
} as const;

/** Added to the number of a command in what the server sends. */
export const ANSWER = 100;

/** Values of `Control`: the server answers a request with the state, anything else with what it has set. */
export const Control = {
  AskFlow: 0,
  NoFlow: 1,
  AskBreak: 4,
  BreakOn: 5,
  BreakOff: 6,
  AskDtr: 7,
  DtrOn: 8,
  DtrOff: 9,
  AskRts: 10,
  RtsOn: 11,
  RtsOff: 12,
  /** From here on: flow control of what comes in. */
  AskFlowIn: 13,
  NoFlowIn: 14,
} as const;

/** Values of `Purge`: what waits at the server to be read by us, what waits to go out to the device. */
export const Purge = { Received: 1, ToSend: 2, Both: 3 } as const;

/** Values of `DataSize`, `Parity` and `StopSize` for eight bits, no parity, one stop bit. */
export const EIGHT_BITS = 8;
export const NO_PARITY = 1;
export const ONE_STOP_BIT = 1;

export interface ComPortMessage {
  readonly command: number;
  /** Bits a second for a baud rate, the first byte for all else; 0 where there is none. */
  readonly value: number;
}

const isBaudRate = (command: number): boolean => command % ANSWER === ComPort.BaudRate;

/** The bytes on the line. A baud rate has four bytes, highest first; any other value has one. */
export function encodeComPort(command: number, value: number): Uint8Array {
  const payload = new Uint8Array(isBaudRate(command) ? 5 : 2);
  payload[0] = command;
  if (isBaudRate(command)) viewOf(payload).setUint32(1, value);
  else payload[1] = value;
  return encodeSubnegotiation(TelnetOption.ComPort, payload);
}

/** The name that a server gives when it is asked. */
export const encodeSignature = (name: string): Uint8Array =>
  encodeSubnegotiation(
    TelnetOption.ComPort,
    Uint8Array.of(ComPort.Signature + ANSWER, ...new TextEncoder().encode(name)),
  );

/** `payload` as the Telnet decoder gives it; nothing where it is too short to mean something. */
export function decodeComPort(payload: Uint8Array): ComPortMessage | undefined {
  const [command, value = 0] = payload;
  if (command === undefined) return undefined;
  if (!isBaudRate(command)) return { command, value };
  // Some servers (sredird) send four bytes too many.
  return payload.length < 5 ? undefined : { command, value: viewOf(payload).getUint32(1) };
}
