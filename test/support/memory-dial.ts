/** Connections of a host on a network in memory, as the device layer dials them. */
import { type Dial, type NetConnection } from '#device/net-connection.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';

export const memoryDial =
  (host: Lan): Dial =>
  async ({ host: address, port }) =>
    connectionOf(await host.connect(address, port));

function connectionOf(socket: LanSocket): NetConnection {
  const chunks: Uint8Array[] = [];
  let over: 'ended' | 'broken' | undefined;
  let wake: (() => void) | undefined;
  socket.onData = (bytes) => {
    chunks.push(bytes);
    wake?.();
  };
  socket.onEnd = () => {
    over ??= 'ended';
    wake?.();
  };
  socket.onClose = (broken) => {
    over ??= broken ? 'broken' : 'ended';
    wake?.();
  };
  async function* incoming(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk) yield chunk;
      else if (over === 'broken') throw new Error('The connection broke');
      else if (over === 'ended') return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    incoming: incoming(),
    async send(bytes) {
      if (over === 'broken') throw new Error('The connection broke');
      socket.send(bytes);
    },
    close() {
      over ??= 'ended';
      wake?.();
      socket.destroy();
    },
  };
}
