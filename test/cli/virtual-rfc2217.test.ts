/** The virtual board as an RFC 2217 server, seen from a host that is not ours. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeComPort } from '../../src/cli/ports/com-port-option.ts';
import { type TcpAddress } from '../../src/cli/ports/tcp-socket.ts';
import { encodeVerb, TelnetDecoder, Verb } from '../../src/cli/ports/telnet.ts';
import { fromHex, toHex } from '../../src/formats/bytes.ts';
import { startBoard } from './rfc2217-servers.ts';
import { runCli } from './run-cli.ts';

const closing: (() => unknown)[] = [];
const cleanup = (close: () => unknown): void => void closing.push(close);

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A host that has agreed on the option, as pyserial's does. */
class Host {
  readonly verbs: string[] = [];
  readonly answers: string[] = [];
  text = '';
  closed = false;
  readonly socket: Socket;
  #wake = (): void => undefined;

  constructor(address: TcpAddress) {
    this.socket = connect(address);
    cleanup(() => this.socket.destroy());
    const decoder = new TelnetDecoder({
      data: (bytes) => (this.text += Buffer.from(bytes).toString('latin1')),
      verb: (verb, option) => this.verbs.push(`${verb} ${option}`),
      subnegotiation: (option, payload) => this.answers.push(`${option} ${toHex(payload)}`),
    });
    this.socket.on('data', (bytes) => {
      decoder.push(bytes);
      this.#wake();
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  static async open(address: TcpAddress): Promise<Host> {
    const host = new Host(address);
    host.socket.write(encodeVerb(Verb.Will, 44));
    await host.until(() => host.answers.length > 0);
    host.answers.length = 0;
    return host;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Says commands, and waits until they are carried out. */
  async say(...messages: (readonly [command: number, value: number])[]): Promise<void> {
    this.answers.length = 0;
    for (const [command, value] of messages) this.socket.write(encodeComPort(command, value));
    await this.until(() => this.answers.length >= messages.length);
  }
}

const [DTR_ON, DTR_OFF, RTS_ON, RTS_OFF] = [[5, 8] as const, [5, 9] as const, [5, 11] as const, [5, 12] as const];
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('agrees to what it is asked, refuses the rest, and tells of the modem lines once', async () => {
  const { remote } = await startBoard(cleanup);
  const host = new Host(remote);
  await once(host.socket, 'connect');
  // ECHO both ways, as pyserial asks, and the option both ways.
  host.socket.write(fromHex('fffd01 fffb01 fffb2c fffd2c fffb00 fffd00 fffb03 fffd03'));
  await host.say([7, 0]);
  expect(host.verbs.toSorted()).toEqual(['251 0', '251 3', '251 44', '252 1', '253 0', '253 3', '253 44', '254 1']);
  expect(host.answers).toEqual(['44 6b00', '44 6b00']);
});

// Answers by RFC 2217: a value of 0 asks, and what cannot be had is answered with what is set.
test.each([
  ['the rate', '01 00000000', '650001c200'],
  ['a new rate', '01 000e1000', '65000e1000'],
  ['eight bits', '02 08', '6608'],
  ['seven bits, which it has not', '02 07', '6608'],
  ['the frame', '02 00', '6608'],
  ['no parity', '03 01', '6701'],
  ['even parity, which it has not', '03 03', '6701'],
  ['one stop bit', '04 01', '6801'],
  ['flow control', '05 00', '6901'],
  ['no flow control', '05 01', '6901'],
  ['hardware flow control, which it has not', '05 03', '6901'],
  ['flow control inwards', '05 0d', '690e'],
  ['hardware flow control inwards, which it has not', '05 10', '690e'],
  ['DTR on', '05 08', '6908'],
  ['what DTR is', '05 07', '6909'],
  ['what RTS is', '05 0a', '690c'],
  ['what break is', '05 04', '6906'],
  ['break on', '05 05', '6905'],
  ['the state of the line', '06', '6a00'],
  ['the state of the modem lines', '07', '6b00'],
  ['the line mask', '0a 10', '6e10'],
  ['the modem mask', '0b ff', '6fff'],
  ['throw away what came', '0c 01', '7001'],
  ['throw away both', '0c 03', '7003'],
  ['its name', '00', `64${toHex(new TextEncoder().encode('Twostep virtual board'))}`],
])('%s', async (_, command, answer) => {
  const { remote } = await startBoard(cleanup);
  const host = await Host.open(remote);
  host.socket.write(fromHex(`fffa2c ${command.replaceAll('ff', 'ffff')} fff0`));
  await host.until(() => host.answers.length > 0);
  expect(host.answers).toEqual([`44 ${answer}`]);
});

describe('the lines', () => {
  test.each([
    ['together', 0],
    ['60 ms apart, as pyserial does', 60],
  ])('esptool’s reset leads into download mode with DTR and RTS set %s', async (_, apart) => {
    const { remote, board } = await startBoard(cleanup);
    const host = await Host.open(remote);
    for (const line of [DTR_OFF, RTS_ON]) await host.say(line);
    await pause(20);
    host.text = '';
    await host.say(DTR_ON);
    await pause(apart);
    await host.say(RTS_OFF);
    await pause(20);
    await host.say(DTR_OFF);
    await host.until(() => host.text.includes('waiting for download'));
    expect(board.inDownloadMode).toBe(true);
    // A reset by RTS alone leads out again.
    await host.say(RTS_ON);
    await host.say(RTS_OFF);
    await host.until(() => host.text.includes('FLASH_BOOT'));
    expect(board.inDownloadMode).toBe(false);
  });

  test('DTR lets go of EN in the end, if RTS stays', async () => {
    const { remote, board } = await startBoard(cleanup);
    const host = await Host.open(remote);
    await host.say(RTS_ON);
    host.text = '';
    await host.say(DTR_ON);
    await host.until(() => host.text.includes('FLASH_BOOT'));
    expect(board.inDownloadMode).toBe(false);
  });

  test('are at rest for the next host, and so is the rate', async () => {
    const { remote, board } = await startBoard(cleanup);
    const host = await Host.open(remote);
    await host.say(RTS_ON, [1, 921_600]);
    host.socket.destroy();
    await pause(50);
    const next = await Host.open(remote);
    // No longer held in reset.
    await next.until(() => next.text.includes('ets Jul 29 2019'));
    await next.say([5, 10], [1, 0]);
    expect(next.answers).toEqual(['44 690c', '44 650001c200']);
    expect(board.rates.at(-1)).toBe(115_200);
  });
});

describe('one host at a time', () => {
  test('a second one is turned away, by RFC 2217 or by bytes alone, until the first has gone', async () => {
    const { remote, uart, url } = await startBoard(cleanup, { instantLine: true });
    const first = await Host.open(remote);
    for (const address of [remote, uart]) {
      const second = new Host(address);
      await second.until(() => second.closed);
    }
    const { code, records } = await runCli(['identify', '--port', url, '--json']);
    expect([code, records.at(-1)?.['code']]).toEqual([1, 'port-busy']);
    await first.say([7, 0]);
    first.socket.destroy();
    await pause(50);
    expect((await Host.open(remote)).closed).toBe(false);
  });

  test('a host by bytes keeps one by RFC 2217 out', async () => {
    const { remote, uart } = await startBoard(cleanup);
    const first = new Host(uart);
    await first.until(() => first.text !== '');
    const second = new Host(remote);
    await second.until(() => second.closed);
    expect(first.closed).toBe(false);
  });

  test('JSON lines of somebody else do not move what the host has set, and neither does their end', async () => {
    const { remote, control, board } = await startBoard(cleanup);
    const host = await Host.open(remote);
    const other = connect(control);
    other.write('{"event":"baud","baud":9600}\n{"event":"modem","dtr":false,"rts":true}\n{"event":"close"}\n');
    other.end();
    await once(other.resume(), 'close');
    await host.until(() => host.text.includes('ets Jul 29 2019'));
    expect(board.line.hostBaud).toBe(115_200);
    expect(board.line.hostFollows).toBe(false);
  });
});

test('when the cable is pulled the server hangs up, and lets nobody in until it is back', async () => {
  const { remote, board } = await startBoard(cleanup);
  const host = await Host.open(remote);
  board.pullCable();
  await host.until(() => host.closed);
  const early = new Host(remote);
  await early.until(() => early.closed);
  board.plugIn();
  const back = await Host.open(remote);
  await back.until(() => back.text.includes('ets Jul 29 2019'));
});
