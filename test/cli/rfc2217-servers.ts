/** Servers for the tests of RFC 2217: a real board behind one, one that can be scripted, and one like esptool's. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { systemClock } from '../../src/clock.ts';
import { ANSWER, ComPort, Control, decodeComPort, encodeComPort } from '../../src/cli/ports/com-port-option.ts';
import { type TcpAddress } from '../../src/cli/ports/tcp-socket.ts';
import {
  encodeSubnegotiation,
  encodeVerb,
  escapeData,
  TelnetDecoder,
  TelnetOption,
  Verb,
} from '../../src/cli/ports/telnet.ts';
import { serveBoard } from '../../src/cli/virtual-server.ts';
import { toHex } from '../../src/formats/bytes.ts';
import { type VirtualEsp32Options } from '../../src/sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '../../src/sim/virtual-esp32.ts';

const ANY_PORT: TcpAddress = { host: '127.0.0.1', port: 0 };

/** What has to be closed after a test. */
export type Cleanup = (close: () => unknown) => void;

export interface TestServer extends TcpAddress {
  /** Connections so far. */
  readonly sockets: Socket[];
  /** As `--port` names it. */
  readonly url: string;
}

/** Listens, and does with each connection what the test says. */
export async function startServer(cleanup: Cleanup, onSocket: (socket: Socket) => void): Promise<TestServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  server.listen(ANY_PORT.port, ANY_PORT.host);
  await once(server, 'listening');
  cleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { host: ANY_PORT.host, port, sockets, url: `rfc2217://127.0.0.1:${port}` };
}

/** Agrees to the option, and answers each command with the value that `answer` gives, or not at all. */
export function agree(
  socket: Socket,
  log: string[],
  answer: (command: number, value: number) => number | undefined = (_, value) => value,
): void {
  const decoder = new TelnetDecoder({
    data: (bytes) => log.push(`data ${toHex(bytes)}`),
    verb: (verb, option) => {
      if (verb === Verb.Will && option === TelnetOption.ComPort) socket.write(encodeVerb(Verb.Do, option));
    },
    subnegotiation: (_, payload) => {
      const message = decodeComPort(payload);
      if (!message) return;
      if (message.command === ComPort.Control && message.value !== Control.NoFlow) log.push(`line ${message.value}`);
      if (message.command === ComPort.BaudRate) log.push(`rate ${message.value}`);
      const value = answer(message.command, message.value);
      if (value !== undefined) socket.write(encodeComPort(message.command + ANSWER, value));
    },
  });
  socket.on('data', (bytes) => decoder.push(Uint8Array.from(bytes)));
}

/** A virtual board in real time that remembers its rates. */
class WatchedBoard extends VirtualEsp32 {
  readonly rates: number[] = [];

  override setHostBaud(baud: number): void {
    this.rates.push(baud);
    super.setHostBaud(baud);
  }
}

/** A virtual board behind `twostep virtual`'s own server, in this process. */
export async function startBoard(
  cleanup: Cleanup,
  options: Partial<VirtualEsp32Options> = {},
): Promise<{ board: WatchedBoard; uart: TcpAddress; control: TcpAddress; remote: TcpAddress; url: string }> {
  const board = new WatchedBoard({ chip: 'esp32', ...options, clock: systemClock });
  const server = await serveBoard(board, { uart: ANY_PORT, control: ANY_PORT, rfc2217: ANY_PORT });
  cleanup(async () => {
    board.powerCut();
    await server.close();
  });
  const [uart, control, remote] = (['uart', 'control', 'rfc2217'] as const).map((face) => ({
    host: ANY_PORT.host,
    port: Number(server.addresses[face]?.split(':').at(-1)),
  }));
  return { board, uart: uart!, control: control!, remote: remote!, url: `rfc2217://127.0.0.1:${remote!.port}` };
}

/** Passes everything on to `remote`, and cuts both ends instead as soon as `isDue`. */
export async function startCuttingProxy(
  cleanup: Cleanup,
  remote: TcpAddress,
  isDue: () => boolean,
): Promise<TestServer> {
  return startServer(cleanup, (socket) => {
    const upstream = connect(remote);
    upstream.on('error', () => socket.destroy());
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    upstream.pipe(socket);
    socket.on('data', (piece) => {
      if (isDue()) socket.destroy();
      else upstream.write(piece);
    });
  });
}

/**
 * Like esptool's server: it never answers DTR and RTS. "DTR on" makes it run the whole reset into download mode by itself,
 * "RTS off" outside of one the reset into the app.
 */
export async function startEspLikeServer(
  cleanup: Cleanup,
  { board, remote }: { board: VirtualEsp32; remote: TcpAddress },
): Promise<TestServer & { resets: string[] }> {
  const resets: string[] = [];
  const run = async (name: string, steps: [dtr: 0 | 1, rts: 0 | 1, ms: number][]): Promise<void> => {
    resets.push(name);
    for (const [dtr, rts, ms] of steps) {
      board.setModemLines({ dtr: dtr === 1, rts: rts === 1 });
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  };
  const server = await startServer(cleanup, (socket) => {
    const upstream = connect(remote);
    let entering = false;
    upstream.on('error', () => socket.destroy());
    upstream.pipe(socket);
    socket.on('close', () => upstream.destroy());
    const control = (value: number): void => {
      if (value === Control.DtrOff) entering = false;
      else if (value === Control.DtrOn && !entering) {
        entering = true;
        void run('download', [[1, 1, 0], [0, 1, 100], [1, 0, 50], [0, 0, 0]]); // prettier-ignore
      } else if (value === Control.RtsOff && !entering) void run('app', [[0, 1, 100], [0, 0, 0]]); // prettier-ignore
    };
    const decoder = new TelnetDecoder({
      data: (bytes) => upstream.write(escapeData(bytes)),
      verb: (verb, option) => upstream.write(encodeVerb(verb, option)),
      subnegotiation: (option, payload) => {
        const message = decodeComPort(payload);
        if (message?.command === ComPort.Control && message.value >= Control.DtrOn) control(message.value);
        else upstream.write(encodeSubnegotiation(option, payload));
      },
    });
    socket.on('data', (bytes) => decoder.push(Uint8Array.from(bytes)));
  });
  return Object.assign(server, { resets });
}
