/** TCP connections of ports: made and ended within a time. */
import { connect, type Socket } from 'node:net';

export interface TcpAddress {
  host: string;
  port: number;
}

/**
 * @param limitMs milliseconds until it is given up with `ETIMEDOUT`; the system's own limit (minutes) unless given.
 * @throws the system's error, with its `code`.
 */
export function dial({ host, port }: TcpAddress, limitMs?: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const giveUp = (): void => {
      socket.destroy(Object.assign(new Error(`No connection within ${limitMs ?? 0} ms`), { code: 'ETIMEDOUT' }));
    };
    const timer = limitMs === undefined ? undefined : setTimeout(giveUp, limitMs);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

/** Ends a connection; what is queued goes out first. */
export function hangUp(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
      return;
    }
    socket.once('close', () => resolve());
    socket.end();
    // Whoever does not hang up in turn is cut off.
    setTimeout(() => socket.destroy(), 200).unref();
  });
}
