/** The port over RFC 2217: against the virtual board's own server, servers with habits of their own, and servers that are none. */
import { afterEach, describe, expect, test } from 'vitest';
import { ComPort, Control } from '../../src/cli/ports/com-port-option.ts';
import { Rfc2217Port } from '../../src/cli/ports/rfc2217-port.ts';
import { fixture } from '../workflows/boards.ts';
import { agree, startBoard, startCuttingProxy, startEspLikeServer, startServer } from './rfc2217-servers.ts';
import { runCli } from './run-cli.ts';

const closing: (() => unknown)[] = [];
const cleanup = (close: () => unknown): void => void closing.push(close);

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A port that hangs up after the test. */
function portTo(...[address, options]: ConstructorParameters<typeof Rfc2217Port>): Rfc2217Port {
  const port = new Rfc2217Port(address, options);
  cleanup(() => port.dispose());
  return port;
}

const BUILD = 'test/fixtures/release/idf-build';
const OPEN = { baudRate: 115_200 };
const lines = (dtr: boolean, rts: boolean): { dataTerminalReady: boolean; requestToSend: boolean } => ({
  dataTerminalReady: dtr,
  requestToSend: rts,
});
const { DtrOn, DtrOff, RtsOn, RtsOff } = Control;

describe('with a virtual board', () => {
  test('identifies, climbs the ladder, writes, and gives the board back', async () => {
    const { board, url } = await startBoard(cleanup);
    const { code, records } = await runCli(['flash', BUILD, '--port', url, '--json']);
    expect(records.at(-1)).toMatchObject({ event: 'done' });
    expect(code).toBe(0);
    expect(board.flash.bytes.subarray(0x10_0000, 0x10_0000 + 1968)).toEqual(fixture('release/idf-build/app.bin'));
    expect(board.rates).toContain(921_600);
    expect(board.rates.at(-1)).toBe(115_200);
    expect(board.inDownloadMode).toBe(false);
  });

  test.each(['', '?ign_set_control'])(
    'a server that runs the resets by itself, and answers none: "%s"',
    async (options) => {
      const behind = await startBoard(cleanup, { instantLine: true });
      const server = await startEspLikeServer(cleanup, behind);
      const { code } = await runCli(['identify', '--port', `${server.url}${options}`]);
      expect(code).toBe(0);
      expect(server.sockets).toHaveLength(1);
      // Changing the rate reset nothing, and the last reset gave the board back.
      expect(server.resets.filter((name) => name === 'app')).toHaveLength(2);
      expect(server.resets.at(-1)).toBe('app');
      expect(behind.board.rates).toContain(921_600);
    },
  );

  test('a connection that breaks in the middle of a write is a lost port', async () => {
    const { board, remote } = await startBoard(cleanup, { instantLine: true });
    const proxy = await startCuttingProxy(cleanup, remote, () => board.flash.bytes[0x8000] !== 0xff);
    const { code, records } = await runCli(['flash', BUILD, '--port', proxy.url, '--json']);
    expect(records.at(-1)).toMatchObject({ code: 'port-lost' });
    expect(code).toBe(1);
  });
});

describe('what goes over the line', () => {
  test('lines are said when they change, in an order that never pulls EN on the way', async () => {
    const log: string[] = [];
    const port = portTo(await startServer(cleanup, (socket) => agree(socket, log)));
    const said: string[][] = [];
    const set = async (dtr: boolean, rts: boolean): Promise<void> => {
      log.length = 0;
      await port.setSignals(lines(dtr, rts));
      said.push([...log]);
    };
    await port.open(OPEN);
    for (const [dtr, rts] of [[1, 0], [0, 0], [1, 1], [0, 1], [1, 0], [0, 0], [0, 0], [1, 1], [0, 0]]) await set(dtr === 1, rts === 1); // prettier-ignore
    expect(said).toEqual(
      [
        [RtsOff],
        [DtrOff],
        [DtrOn, RtsOn],
        [DtrOff],
        [DtrOn, RtsOff],
        [DtrOff],
        [],
        [DtrOn, RtsOn],
        [RtsOff, DtrOff],
      ].map((values) => values.map((value) => `line ${value}`)),
    );
  });

  test('closing and opening at another rate keeps the connection and pulls no line', async () => {
    const log: string[] = [];
    const server = await startServer(cleanup, (socket) => agree(socket, log));
    const port = portTo(server);
    await port.open(OPEN);
    await port.setSignals(lines(true, false));
    await port.setSignals(lines(false, false));
    log.length = 0;
    await port.close();
    await port.open({ baudRate: 921_600 });
    await port.setSignals(lines(true, false));
    await port.setSignals(lines(false, false));
    expect(log).toEqual(['rate 921600', `line ${DtrOff}`]);
    expect(server.sockets).toHaveLength(1);
    port.dispose();
    await port.close();
    await port.open(OPEN);
    expect(server.sockets).toHaveLength(2);
  });

  test('a line comes after the data that were written before it, even if nobody waited for them', async () => {
    const log: string[] = [];
    const port = portTo(await startServer(cleanup, (socket) => agree(socket, log)));
    await port.open(OPEN);
    const writer = port.writable!.getWriter();
    log.length = 0;
    void writer.write(Uint8Array.of(1, 0xff));
    void writer.write(Uint8Array.of(2));
    const set = port.setSignals({ requestToSend: true });
    await set;
    await writer.write(Uint8Array.of(3));
    await port.setSignals({ requestToSend: false });
    expect(log.join(' ').replaceAll(/ data (?=02)/g, '')).toBe(`data 01ff02 line ${RtsOn} data 03 line ${RtsOff}`);
  });

  test('data reach the reader as they are; those of the time before opening do not', async () => {
    const server = await startServer(cleanup, (socket) => {
      socket.write(Uint8Array.of(0x41));
      agree(socket, []);
    });
    const port = portTo(server);
    await port.open(OPEN);
    server.sockets[0]!.write(Uint8Array.of(0x42, 0xff, 0xff, 0xff, 0xfd, 0x09, 0x43));
    const reader = port.readable!.getReader();
    const seen: number[] = [];
    while (seen.length < 3) seen.push(...((await reader.read()).value ?? []));
    expect(seen).toEqual([0x42, 0xff, 0x43]);
  });
});

describe('a server that', () => {
  const QUICK = { answerMs: 1000 };

  /** Runs `identify` with short limits, and gives the code of its error. */
  async function codeOf(url: string): Promise<unknown> {
    const begun = performance.now();
    const { records } = await runCli(['identify', '--port', `${url}?timeout=1`, '--json']);
    expect(performance.now() - begun).toBeLessThan(5000);
    return records.at(-1)?.['code'];
  }

  test('is not there is a missing port', async () => {
    const server = await startServer(cleanup, () => undefined);
    for (const close of closing.splice(0)) await close();
    expect(await codeOf(server.url)).toBe('port-missing');
  });

  test.each<[string, string, Parameters<typeof startServer>[1]]>([
    ['says nothing', 'not-rfc2217', () => undefined],
    ['hangs up at once', 'port-busy', (socket) => socket.end()],
    ['is another one', 'not-rfc2217', (socket) => socket.end('SSH-2.0-x\r\n')],
    ['only echoes', 'port-open-failed', (socket) => socket.pipe(socket)],
    ['refuses the option', 'not-rfc2217', (socket) => socket.write(Uint8Array.of(255, 254, 44))],
    ['sends an endless subnegotiation', 'not-rfc2217', (socket) => socket.write(new Uint8Array(200_000).fill(0).fill(255, 0, 1).fill(250, 1, 2))], // prettier-ignore
    ['asks for every option', 'not-rfc2217', (socket) => socket.write(Uint8Array.from({ length: 768 }, (_, at) => [255, 253, at / 3 === 44 ? 0 : Math.floor(at / 3) % 44][at % 3] ?? 0))], // prettier-ignore
    ['answers no command', 'port-open-failed', (socket) => agree(socket, [], () => undefined)],
    ['sets another frame', 'port-open-failed', (socket) => agree(socket, [], (command, value) => (command === ComPort.DataSize ? 7 : value))], // prettier-ignore
  ])('%s is told in time: %s', async (_, code, onSocket) => {
    expect(await codeOf((await startServer(cleanup, onSocket)).url)).toBe(code);
  });

  test('has not that rate refuses it, and the next one finds the same connection', async () => {
    const server = await startServer(cleanup, (socket) =>
      agree(socket, [], (command, value) => (command === ComPort.BaudRate ? Math.min(value, 460_800) : value)),
    );
    const port = portTo(server);
    await expect(port.open({ baudRate: 921_600 })).rejects.toThrow('460800');
    await port.open({ baudRate: 460_800 });
    expect(server.sockets).toHaveLength(1);
  });

  test('rounds the rate is taken at it', async () => {
    const port = portTo(
      await startServer(cleanup, (socket) =>
        agree(socket, [], (command, value) => (command === ComPort.BaudRate ? 923_076 : value)),
      ),
    );
    await port.open({ baudRate: 921_600 });
    expect(port.readable).not.toBeNull();
  });

  test('answered its lines and stops to is an error, in time', async () => {
    let answers = true;
    const server = await startServer(cleanup, (socket) =>
      agree(socket, [], (_, value) => (answers ? value : undefined)),
    );
    const port = portTo(server, QUICK);
    await port.open(OPEN);
    await port.setSignals(lines(false, false));
    answers = false;
    await expect(port.setSignals(lines(true, true))).rejects.toThrow('500 ms');
    // What it has done is not known: all is said again.
    answers = true;
    await port.setSignals(lines(false, false));
  });

  test('says the opposite of what was asked does not set its lines', async () => {
    const port = portTo(
      await startServer(cleanup, (socket) =>
        agree(socket, [], (command, value) => (command === ComPort.Control && value === RtsOn ? RtsOff : value)),
      ),
      QUICK,
    );
    await port.open(OPEN);
    await expect(port.setSignals({ requestToSend: true })).rejects.toThrow('control lines');
  });

  test('goes away fails what is under way and what comes after', async () => {
    const server = await startServer(cleanup, (socket) =>
      agree(socket, [], (c, v) => (c === ComPort.Control ? undefined : v)),
    );
    const port = portTo(server);
    await port.open(OPEN);
    const reading = port.readable!.getReader().read();
    const writer = port.writable!.getWriter();
    const setting = port.setSignals(lines(false, false));
    server.sockets[0]!.destroy();
    await expect(reading).rejects.toMatchObject({ name: 'NetworkError' });
    await expect(setting).rejects.toMatchObject({ name: 'NetworkError' });
    await expect(port.setSignals(lines(true, true))).rejects.toMatchObject({ name: 'NetworkError' });
    await expect(writer.write(Uint8Array.of(1))).rejects.toMatchObject({ name: 'NetworkError' });
    expect(port.writable).toBeNull();
    await port.close();
  });

  test('takes no more bytes does not hold up closing, and gets none of the rest', async () => {
    const server = await startServer(cleanup, (socket) => agree(socket, []));
    const port = portTo(server);
    await port.open(OPEN);
    server.sockets[0]!.pause();
    const writer = port.writable!.getWriter();
    const writing = writer.write(new Uint8Array(16 << 20));
    await expect(Promise.race([writing, new Promise((resolve) => setTimeout(resolve, 300, 'stalled'))])).resolves.toBe(
      'stalled',
    );
    const aborted = writer.abort(new Error('enough'));
    await expect(writing).rejects.toThrow('enough');
    await aborted;
    await port.close();
    const ended = new Promise((resolve) => server.sockets[0]!.once('close', resolve));
    server.sockets[0]!.resume();
    await ended;
  });
});

test('one port is opened once', async () => {
  const port = portTo(await startServer(cleanup, (socket) => agree(socket, [])));
  await expect(port.setSignals(lines(false, false))).rejects.toMatchObject({ name: 'InvalidStateError' });
  await port.open(OPEN);
  await expect(port.open(OPEN)).rejects.toMatchObject({ name: 'InvalidStateError' });
  expect(port.getInfo()).toEqual({});
  await port.close();
  await port.close();
  expect([port.readable, port.writable]).toEqual([null, null]);
});
