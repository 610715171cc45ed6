/**
 * The client's end of one RFC 2217 connection: agrees on the options, sends commands and waits for their answers.
 * Every wait has a limit. What it knows of servers: pyserial's `rfc2217_server`, esptool's `esp_rfc2217_server`, ser2net.
 */
import { systemClock, withLimit } from '#clock.ts';
import { concatBytes } from '#formats/bytes.ts';
import { type Socket } from 'node:net';
import { InputError } from '../input-error.ts';
import { ComPortAnswers, type Expected } from './com-port-answers.ts';
import { ComPort, Control, EIGHT_BITS, encodeComPort, NO_PARITY, ONE_STOP_BIT, Purge } from './com-port-option.ts';
import { lostError } from './streams.ts';
import { dial, hangUp, type TcpAddress } from './tcp-socket.ts';
import { encodeVerb, escapeData, TelnetDecoder, TelnetOption, TelnetOptions } from './telnet.ts';

export interface Rfc2217Options {
  /** Milliseconds for the connection to come about, and for each answer. */
  readonly answerMs: number;
  /** Do not wait for answers to DTR and RTS, but for a fixed time (pyserial's `ign_set_control`). */
  readonly ignoreControlAnswers: boolean;
}

/**
 * Milliseconds for an answer to DTR and RTS: half of what the layer above gives to setting them.
 * A line that is slower than that is paced as if the server did not answer, and works all the same.
 */
const CONTROL_ANSWER_MS = 500;
/** Milliseconds after DTR and RTS where no answer is waited for: pyserial's time, which a server's own reset needs. */
const CONTROL_PACE_MS = 100;
/** Of the rate, how much the server's may differ: UARTs stand twice that. */
const RATE_TOLERANCE = 0.02;

/** Characters. */
const GREETING_LENGTH = 60;

/** The values that the answer to a control value may have: the states of the same line. */
const LINES: readonly (readonly number[])[] = [
  [Control.BreakOn, Control.BreakOff],
  [Control.DtrOn, Control.DtrOff],
  [Control.RtsOn, Control.RtsOff],
];

export class Rfc2217Connection {
  /** Gets the device's bytes; what comes while nobody is set is thrown away. */
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** Called once when the connection has ended, whoever ended it. */
  onEnd: (() => void) | undefined;
  readonly #address: string;
  readonly #socket: Socket;
  readonly #options: Rfc2217Options;
  readonly #telnet = new TelnetOptions(
    {
      ours: [TelnetOption.Binary, TelnetOption.SuppressGoAhead, TelnetOption.ComPort],
      theirs: [TelnetOption.Binary, TelnetOption.SuppressGoAhead, TelnetOption.ComPort],
    },
    (verb, option) => void this.#socket.write(encodeVerb(verb, option)),
  );
  readonly #answers = new ComPortAnswers();
  #agreed: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** The first words of a server that has not agreed yet: they may say why it does not. */
  #greeting = '';
  #ended = false;
  /** Whether the server answers DTR and RTS; not known before the first. */
  #controlAnswers: boolean | undefined;

  /**
   * Connects, and agrees with the server that this is RFC 2217.
   *
   * @throws {InputError} `not-rfc2217`.
   * @throws the system's error with its `code`; `EBUSY` where the server hangs up at once.
   */
  static async open(address: TcpAddress, options: Rfc2217Options): Promise<Rfc2217Connection> {
    const connection = new Rfc2217Connection(address, await dial(address, options.answerMs), options);
    try {
      await connection.#negotiate();
    } catch (error) {
      connection.cutOff();
      throw error;
    }
    return connection;
  }

  private constructor({ host, port }: TcpAddress, socket: Socket, options: Rfc2217Options) {
    this.#address = `${host}:${port}`;
    this.#socket = socket;
    this.#options = options;
    if (options.ignoreControlAnswers) this.#controlAnswers = false;
    const decoder = new TelnetDecoder({
      data: (bytes) => {
        if (this.#agreed) this.#keepGreeting(bytes);
        this.onData?.(bytes);
      },
      verb: (verb, option) => {
        this.#telnet.receive(verb, option);
        this.#checkAgreement();
      },
      subnegotiation: (option, payload) => {
        if (option === TelnetOption.ComPort) this.#answers.take(payload);
      },
    });
    socket.on('data', (bytes) => decoder.push(Uint8Array.from(bytes)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#close());
  }

  get isAlive(): boolean {
    return !this.#ended && !this.#socket.destroyed;
  }

  /** Bytes that the system has not taken yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Whether the connection keeps the process from ending by itself. */
  set keepsProcess(keeps: boolean) {
    if (keeps) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Sends data to the device. Done when the system has taken them, or with an error when the signal aborts. */
  send(data: Uint8Array, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.#write(escapeData(data), (error) => {
        signal.removeEventListener('abort', abort);
        if (error) reject(lostError());
        else resolve();
      });
    });
  }

  /**
   * Sets rate, eight bits, no parity, one stop bit, no flow control, and has the server throw away what waits there.
   *
   * @throws {Error} when the server does not answer or sets something else.
   */
  async configure(baudRate: number): Promise<void> {
    const settings = [
      [ComPort.BaudRate, baudRate],
      [ComPort.DataSize, EIGHT_BITS],
      [ComPort.Parity, NO_PARITY],
      [ComPort.StopSize, ONE_STOP_BIT],
    ] as const;
    const bytes = concatBytes(
      encodeComPort(ComPort.Purge, Purge.Both),
      // Not every server answers this one as it should; none is what they start with.
      encodeComPort(ComPort.Control, Control.NoFlow),
      ...settings.map(([command, value]) => encodeComPort(command, value)),
    );
    const expected = settings.map(([command]) => ({ command }));
    const values = await this.#request(bytes, expected, this.#options.answerMs);
    settings.forEach(([command, wanted], index) => {
      const got = values[index] ?? 0;
      const allowed = command === ComPort.BaudRate ? wanted * RATE_TOLERANCE : 0;
      if (Math.abs(got - wanted) > allowed)
        throw new Error(`${this.#address} sets ${got} where ${wanted} was asked for (command ${command})`);
    });
  }

  /**
   * Sends values of `Control`, in their order and in one piece, and waits until the server has carried them out.
   * A server that has never answered one, as esptool's, is waited for once; from then on it is given a fixed time.
   */
  async control(values: readonly number[]): Promise<void> {
    if (values.length === 0) return;
    const bytes = concatBytes(...values.map((value) => encodeComPort(ComPort.Control, value)));
    if (this.#controlAnswers === false) {
      this.#write(bytes);
      await new Promise((resolve) => setTimeout(resolve, CONTROL_PACE_MS));
      this.#check();
      return;
    }
    const expected = values.map((value) => ({
      command: ComPort.Control,
      values: LINES.find((states) => states.includes(value)),
    }));
    try {
      const states = await this.#request(bytes, expected, Math.min(CONTROL_ANSWER_MS, this.#options.answerMs));
      this.#controlAnswers = true;
      if (states.some((state, index) => state !== values[index]))
        throw new Error(`${this.#address} does not set its control lines`);
    } catch (error) {
      this.#check();
      if (this.#controlAnswers) throw error;
      this.#controlAnswers = false;
    }
  }

  /** Hangs up. What is queued goes out first. */
  end(): void {
    void hangUp(this.#socket);
    this.#close();
  }

  /** Hangs up at once, and throws away what is queued. */
  cutOff(): void {
    this.#socket.destroy();
    this.#close();
  }

  /** @throws {DOMException} when the connection has ended. */
  #check(): void {
    if (!this.isAlive) throw lostError();
  }

  #write(bytes: Uint8Array, done?: (error?: Error | null) => void): void {
    // Written to an ended socket it calls back with an error.
    this.#socket.write(bytes, done);
  }

  async #negotiate(): Promise<void> {
    const agreed = new Promise<void>((resolve, reject) => (this.#agreed = { resolve, reject }));
    this.#telnet.ask();
    await withLimit(systemClock, agreed, {
      ms: this.#options.answerMs,
      onTimeout: () => notRfc2217(`${this.#address} does not answer as an RFC 2217 server does`),
    });
    this.#agreed = undefined;
  }

  #keepGreeting(bytes: Uint8Array): void {
    const text = new TextDecoder('latin1').decode(bytes.subarray(0, GREETING_LENGTH));
    this.#greeting = (this.#greeting + text.replaceAll(/[^ -~]+/g, ' ').trim()).slice(0, GREETING_LENGTH);
  }

  #checkAgreement(): void {
    const state = this.#telnet.ours(TelnetOption.ComPort);
    if (state === 'on') this.#agreed?.resolve();
    else if (state === 'refused')
      this.#agreed?.reject(notRfc2217(`${this.#address} speaks Telnet, but does not let its port be controlled`));
  }

  /** Sends commands and waits for the value of each one's answer. */
  #request(bytes: Uint8Array, expected: readonly Expected[], ms: number): Promise<number[]> {
    const answers = this.#answers.wait(expected, {
      ms,
      onTimeout: () => new Error(`${this.#address} does not answer within ${ms} ms`),
    });
    this.#write(bytes);
    return answers;
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#agreed?.reject(
      this.#greeting === ''
        ? Object.assign(new Error(`${this.#address} hangs up at once: it may serve another host`), { code: 'EBUSY' })
        : notRfc2217(`${this.#address} hangs up and says "${this.#greeting}"`),
    );
    this.#answers.fail(lostError());
    this.onEnd?.();
  }
}

const notRfc2217 = (message: string): InputError =>
  new InputError('not-rfc2217', message, {
    todo: 'Check the address. A server of one host stays silent while it serves another; a serial port without RFC 2217 is named tcp://HOST:PORT.',
  });
