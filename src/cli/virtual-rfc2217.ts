/**
 * A virtual board's serial port as an RFC 2217 server shows it to one host: data, rate and modem lines on one connection.
 * It answers every command, as the RFC says; flow control and other frames than 8N1 are not to be had.
 */
import { type VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type Socket } from 'node:net';
import {
  ANSWER,
  ComPort,
  type ComPortMessage,
  Control,
  decodeComPort,
  EIGHT_BITS,
  encodeComPort,
  encodeSignature,
  NO_PARITY,
  ONE_STOP_BIT,
  Purge,
} from './ports/com-port-option.ts';
import { encodeVerb, escapeData, TelnetDecoder, TelnetOption, TelnetOptions } from './ports/telnet.ts';

/** The rate of a port that no host has set yet. */
const FIRST_RATE = 115_200;
/**
 * Milliseconds that an EN which DTR would let go waits for RTS. A far host (esptool through pyserial) asserts DTR and
 * releases RTS 50 to 150 ms apart, and a boot pin that falls after EN has risen is not seen: what esptool's own server
 * gets round by running the whole reset itself.
 */
const RELEASE_WAIT_MS = 300;
/** The last of the values about flow control of what comes in alone. */
const LAST_FLOW_IN = 16;
/** Nothing is wired to CTS, DSR, RI and CD. */
const NO_LINES = 0;
const LINES_AT_REST = { dtr: false, rts: false };

export class Rfc2217Host {
  readonly #board: VirtualEsp32;
  readonly #socket: Socket;
  #rate = FIRST_RATE;
  #lines = LINES_AT_REST;
  #break = false;
  #cancelRelease: (() => void) | undefined;
  #told = false;

  /** Takes the board until the connection ends. */
  constructor(board: VirtualEsp32, socket: Socket) {
    this.#board = board;
    this.#socket = socket;
    const options = new TelnetOptions(
      {
        ours: [TelnetOption.Binary, TelnetOption.SuppressGoAhead, TelnetOption.ComPort],
        theirs: [TelnetOption.Binary, TelnetOption.SuppressGoAhead, TelnetOption.ComPort],
      },
      (verb, option) => void socket.write(encodeVerb(verb, option)),
    );
    const decoder = new TelnetDecoder({
      data: (bytes) => board.hostWrites(bytes),
      verb: (verb, option) => {
        options.receive(verb, option);
        if (option === TelnetOption.ComPort) this.#tellModemState();
      },
      subnegotiation: (option, payload) => {
        const message = option === TelnetOption.ComPort ? decodeComPort(payload) : undefined;
        if (message) this.#answer(message, payload.length);
      },
    });
    socket.setNoDelay(true);
    socket.on('data', (bytes) => decoder.push(Uint8Array.from(bytes)));
    // A reset connection is a closed one.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#leave());
    board.setHostBaud(FIRST_RATE);
    board.attach({ receive: (bytes) => void socket.write(escapeData(bytes)), lost: () => socket.destroy() });
    options.ask();
  }

  hangUp(): void {
    this.#socket.destroy();
  }

  /** A client that reads the modem lines waits for the server to tell of them. */
  #tellModemState(): void {
    if (this.#told) return;
    this.#told = true;
    this.#socket.write(encodeComPort(ComPort.ModemState + ANSWER, NO_LINES));
  }

  #leave(): void {
    this.#setLines(LINES_AT_REST);
    this.#board.attach(undefined);
  }

  #answer({ command, value }: ComPortMessage, length: number): void {
    if (command === ComPort.Signature) {
      // With a text it is the client's own name.
      if (length === 1) this.#socket.write(encodeSignature('Twostep virtual board'));
      return;
    }
    const state = this.#carryOut(command, value);
    if (state !== undefined) this.#socket.write(encodeComPort(command + ANSWER, state));
  }

  /** @returns what is set afterwards; nothing for what has no answer. A value of 0 only asks. */
  #carryOut(command: number, value: number): number | undefined {
    switch (command) {
      case ComPort.BaudRate:
        if (value > 0) this.#board.setHostBaud((this.#rate = value));
        return this.#rate;
      case ComPort.DataSize:
        return EIGHT_BITS;
      case ComPort.Parity:
        return NO_PARITY;
      case ComPort.StopSize:
        return ONE_STOP_BIT;
      case ComPort.Control:
        return this.#control(value);
      case ComPort.LineState:
      case ComPort.ModemState:
        return NO_LINES;
      case ComPort.LineStateMask:
      case ComPort.ModemStateMask:
        return value;
      case ComPort.Purge:
        if (value === Purge.Received || value === Purge.Both) this.#board.line.discard('to-host');
        if (value === Purge.ToSend || value === Purge.Both) this.#board.line.discard('to-device');
        return value;
      default:
        // Pause and resume: TCP holds the host's data back by itself.
        return undefined;
    }
  }

  #control(value: number): number {
    switch (value) {
      case Control.DtrOn:
      case Control.DtrOff:
        this.#setLines({ ...this.#lines, dtr: value === Control.DtrOn });
        return value;
      case Control.RtsOn:
      case Control.RtsOff:
        this.#setLines({ ...this.#lines, rts: value === Control.RtsOn });
        return value;
      case Control.BreakOn:
      case Control.BreakOff:
        this.#break = value === Control.BreakOn;
        return value;
      case Control.AskDtr:
        return this.#lines.dtr ? Control.DtrOn : Control.DtrOff;
      case Control.AskRts:
        return this.#lines.rts ? Control.RtsOn : Control.RtsOff;
      case Control.AskBreak:
        return this.#break ? Control.BreakOn : Control.BreakOff;
      default:
        return value >= Control.AskFlowIn && value <= LAST_FLOW_IN ? Control.NoFlowIn : Control.NoFlow;
    }
  }

  #setLines(lines: { dtr: boolean; rts: boolean }): void {
    const before = this.#lines;
    if (before.dtr === lines.dtr && before.rts === lines.rts) return;
    this.#lines = lines;
    this.#cancelRelease?.();
    this.#cancelRelease = undefined;
    const apply = (): void => this.#board.setModemLines(lines);
    const letsGo = before.rts && !before.dtr && lines.dtr && lines.rts;
    if (letsGo) this.#cancelRelease = this.#board.clock.after(RELEASE_WAIT_MS, apply);
    else apply();
  }
}
