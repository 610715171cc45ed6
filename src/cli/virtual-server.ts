/**
 * A virtual board on TCP ports: bytes of its UART on one; modem lines, baud rate and plugging as JSON lines on another; all
 * of it by RFC 2217 on a third. The host is the client. One at a time, as a serial port has one owner.
 */
import { type VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type Wifi } from '#sim/network/wifi.ts';
import * as v from 'valibot';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { InputError } from './input-error.ts';
import { type TcpAddress } from './ports/tcp-socket.ts';
import { Rfc2217Host } from './virtual-rfc2217.ts';

/** What the board can be reached by. */
export type Face = 'uart' | 'control' | 'rfc2217';

export interface BoardServer {
  /** `HOST:PORT` of each, with the port that was really taken. */
  readonly addresses: Readonly<Partial<Record<Face, string>>>;
  close(): Promise<void>;
}

/**
 * A line from the host. `at` tells after how many UART bytes it holds; without it, at once.
 * `modem` with `dtr` and `rts`, `baud` with `baud`, `close`; and for hands at the board `cable` with `plugged`,
 * `power` with `off`, `restart`, `wifi` with `gone`: milliseconds for which the access point is away.
 */
const HostLineSchema = v.object({
  event: v.string(),
  dtr: v.optional(v.boolean()),
  rts: v.optional(v.boolean()),
  baud: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  plugged: v.optional(v.boolean()),
  off: v.optional(v.boolean()),
  gone: v.optional(v.pipe(v.number(), v.minValue(0))),
  at: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
});
type HostLine = v.InferOutput<typeof HostLineSchema>;

const MAX_LINE = 4096;

export async function serveBoard(
  board: VirtualEsp32,
  faces: Readonly<Partial<Record<Face, TcpAddress>>>,
  wifi?: Wifi,
): Promise<BoardServer> {
  const host = new HostSide(board, wifi);
  const takes: Record<Face, (socket: Socket) => void> = {
    uart: (socket) => host.takeUart(socket),
    control: (socket) => host.takeControl(socket),
    rfc2217: (socket) => host.takeRfc2217(socket),
  };
  const servers: Server[] = [];
  const addresses: Partial<Record<Face, string>> = {};
  try {
    for (const face of ['uart', 'control', 'rfc2217'] as const) {
      const address = faces[face];
      if (!address) continue;
      const server = await listen(address, takes[face]);
      servers.push(server);
      addresses[face] = addressOf(server);
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return {
    addresses,
    async close() {
      host.hangUp();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** What the host does on its connections, in the order in which it did it. */
class HostSide {
  readonly #board: VirtualEsp32;
  readonly #wifi: Wifi | undefined;
  #uart: Socket | undefined;
  #control: Socket | undefined;
  #remote: Rfc2217Host | undefined;
  /** UART bytes since the connection was made, and the lines that wait for more of them. */
  #received = 0;
  #waiting: HostLine[] = [];
  #lines = { dtr: false, rts: false };

  constructor(board: VirtualEsp32, wifi: Wifi | undefined) {
    this.#board = board;
    this.#wifi = wifi;
    board.onPresence = (present) => this.#presence(present);
    board.line.hostFollows = true;
  }

  takeUart(socket: Socket): void {
    if (this.#uart || this.#remote) {
      socket.destroy();
      return;
    }
    this.#uart = socket;
    this.#received = 0;
    socket.setNoDelay(true);
    this.#attach();
    socket.on('data', (bytes) => this.#bytes(Uint8Array.from(bytes)));
    // A reset connection is a closed one.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#uart = undefined;
      this.#waiting = [];
      this.#board.attach(undefined);
    });
  }

  takeRfc2217(socket: Socket): void {
    if (this.#uart || this.#remote || !this.#board.present) {
      socket.destroy();
      return;
    }
    this.#board.line.hostFollows = false;
    this.#remote = new Rfc2217Host(this.#board, socket);
    socket.on('close', () => {
      this.#remote = undefined;
      this.#board.line.hostFollows = this.#control === undefined;
    });
  }

  takeControl(socket: Socket): void {
    if (this.#control) {
      socket.destroy();
      return;
    }
    this.#control = socket;
    // Only a host with a control connection can say at which rate it listens.
    this.#board.line.hostFollows = false;
    socket.setEncoding('utf8');
    let text = '';
    socket.on('data', (chunk: Buffer | string) => {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      if (text.length > MAX_LINE) socket.destroy();
      for (const line of lines) this.#line(line);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#control = undefined;
      if (this.#remote) return;
      this.#board.line.hostFollows = true;
      this.#setLines({ dtr: false, rts: false });
    });
  }

  hangUp(): void {
    this.#uart?.destroy();
    this.#control?.destroy();
    this.#remote?.hangUp();
  }

  #attach(): void {
    const socket = this.#uart;
    if (!socket) return;
    this.#board.attach({ receive: (bytes) => void socket.write(bytes), lost: () => undefined });
  }

  /** The board left the bus, or is back: the host's bridge plugs its port accordingly. */
  #presence(present: boolean): void {
    this.#control?.write(`${JSON.stringify(present ? { plug: true } : { unplug: true })}\n`);
    if (present) this.#attach();
    // A server whose serial port is gone hangs up.
    else this.#remote?.hangUp();
  }

  /** Bytes up to the one where the next waiting line holds, that line, and so on. */
  #bytes(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const next = this.#waiting[0];
      const until = next ? Math.min(rest.length, Math.max(0, next.at - this.#received)) : rest.length;
      this.#board.hostWrites(rest.subarray(0, until));
      this.#received += until;
      rest = rest.subarray(until);
      this.#applyDue();
    }
  }

  #line(text: string): void {
    const line = parseLine(text);
    if (!line) return;
    this.#waiting.push(line);
    this.#applyDue();
  }

  #applyDue(): void {
    for (let next = this.#waiting[0]; next && next.at <= this.#received; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#apply(next);
    }
  }

  #apply({ event, dtr, rts, baud, plugged, off, gone }: HostLine): void {
    if (event === 'cable' && plugged === false) this.#board.pullCable();
    else if (event === 'cable' && plugged === true) this.#board.plugIn();
    else if (event === 'power' && off === true) this.#board.powerCut();
    else if (event === 'power' && off === false) this.#board.powerOn();
    else if (event === 'restart') this.#board.reset('software');
    else if (event === 'wifi' && gone !== undefined) this.#wifi?.goAway(gone);
    // The lines are those of a host by RFC 2217, while there is one.
    else if (this.#remote) return;
    else if (event === 'modem') this.#setLines({ dtr: dtr ?? this.#lines.dtr, rts: rts ?? this.#lines.rts });
    else if (event === 'baud' && baud !== undefined) this.#board.setHostBaud(baud);
    else if (event === 'close') this.#setLines({ dtr: false, rts: false });
  }

  #setLines(lines: { dtr: boolean; rts: boolean }): void {
    this.#lines = lines;
    this.#board.setModemLines(lines);
  }
}

/** One JSON line, or nothing when it is none: a stray line must not take the board down. */
function parseLine(text: string): HostLine | undefined {
  try {
    const parsed = v.safeParse(HostLineSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    // Not JSON.
    return undefined;
  }
}

function listen({ host, port }: TcpAddress, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(onSocket);
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new InputError('listen-failed', `It cannot listen on ${host}:${port} (${error.code ?? error.message})`, {
          todo: 'Give an address of this computer and a free port: each board needs ports of its own.',
          cause: error,
        }),
      );
    });
    server.listen(port, host, () => resolve(server));
  });
}

function addressOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
