/** Connections to boards over TCP. */
import { connect, type Socket } from 'node:net';
import { type Dial, type NetConnection } from '#device/board-http.ts';
import { isPrivate } from './private-address.ts';

/** Dials numeric private addresses alone: a name, or an address of the internet, is refused before a packet leaves. */
export const dialTcp: Dial = ({ host, port }, { signal }) =>
  new Promise((resolve, reject) => {
    if (!isPrivate(host)) throw new RangeError(`${host} is not a private address`);
    signal.throwIfAborted();
    const socket = connect({ host, port, noDelay: true });
    const giveUp = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
    // It stays: a connection may break while nobody reads or writes, and whoever does next is told.
    socket.on('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', giveUp);
      resolve(connectionOver(socket));
    });
  });

const connectionOver = (socket: Socket): NetConnection => ({
  send: (bytes) =>
    new Promise((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    }),
  incoming: socket,
  close: () => void socket.destroy(),
});
