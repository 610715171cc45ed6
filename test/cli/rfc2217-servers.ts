/** A virtual board behind `twostep virtual`'s own server, for the tests of RFC 2217. */
import { systemClock } from '../../src/clock.ts';
import { type TcpAddress } from '../../src/cli/ports/tcp-socket.ts';
import { serveBoard } from '../../src/cli/virtual-server.ts';
import { type VirtualEsp32Options } from '../../src/sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '../../src/sim/virtual-esp32.ts';

const ANY_PORT: TcpAddress = { host: '127.0.0.1', port: 0 };

/** What has to be closed after a test. */
type Cleanup = (close: () => unknown) => void;

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
