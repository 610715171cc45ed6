/** A `twostep virtual` process, joined to a line of the rig. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type SerialRig } from './serial-rig.ts';
import { type LineEvent, SerialLine, type UsbIds } from './serial-line.ts';

export interface VirtualBoardOptions {
  chip: 'esp32' | 'esp32s3' | 'esp32c3';
  usb: UsbIds;
  wiring?: 'uart' | 'usb-serial-jtag';
  /** `SSID:PASSWORD` of the network in the air. */
  wifi?: string;
  /** What is in its flash; blank otherwise. */
  flash?: Uint8Array;
  /** Its own, where boards are to be told apart. */
  mac?: string;
}

const LISTEN = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0'];

let boards = 0;

export class VirtualBoard {
  readonly #process: ChildProcess;
  readonly #uart: Socket;
  readonly #control: Socket;
  readonly #line: SerialLine;
  readonly #file: string;
  /** Bytes passed to the board so far: tells it when what the host does with the line is due. */
  #passed = 0;
  /** Pluggings, one after the other. */
  #plugging: Promise<void>;
  #present: ((present: boolean) => void)[] = [];

  private constructor(
    rig: SerialRig,
    parts: { process: ChildProcess; uart: Socket; control: Socket; usb: UsbIds; file: string; index: number },
  ) {
    const { usb, index } = parts;
    this.#process = parts.process;
    this.#uart = parts.uart;
    this.#control = parts.control;
    this.#file = parts.file;
    this.#line = new SerialLine({
      folder: rig.folder,
      index,
      usb,
      onBytes: (bytes) => this.#pass(bytes),
      onEvent: (event) => this.#tell(event),
    });
    this.#uart.on('data', (bytes: Buffer) => this.#line.write(bytes));
    createInterface({ input: this.#control }).on('line', (line) => this.#moved(line));
    this.#plugging = this.#line.plug();
  }

  /** A board that is plugged into the rig. */
  static async start(rig: SerialRig, options: VirtualBoardOptions): Promise<VirtualBoard> {
    const { chip, usb, wiring = 'uart', flash } = options;
    const index = boards++;
    const file = join(rig.folder, `flash-${index}.bin`);
    if (flash) writeFileSync(file, flash);
    const given = (['wifi', 'mac'] as const).flatMap((name) => {
      const value = options[name];
      return value === undefined ? [] : [`--${name}`, value];
    });
    const args = ['--chip', chip, '--wiring', wiring, '--flash', file, ...given];
    const board = [process.execPath, 'src/cli/main.ts', 'virtual', '--json', ...LISTEN, ...args];
    // It ends with the tests, whatever ends those.
    const virtual = spawn('setpriv', ['--pdeathsig', 'INT', ...board], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: virtual.stdout }).once('line', resolve);
      virtual.once('exit', (code) => reject(new Error(`twostep virtual ended with ${code}`)));
    });
    const { uart, control } = JSON.parse(line) as { uart?: string; control?: string };
    if (uart === undefined || control === undefined) throw new Error(`twostep virtual says ${line}`);
    const sockets = { control: await dial(control), uart: await dial(uart) };
    const joined = new VirtualBoard(rig, { process: virtual, usb, file, index, ...sockets });
    await joined.#plugging;
    return joined;
  }

  /** Bytes that the host has sent so far. */
  get received(): number {
    return this.#passed;
  }

  /** Pulls the cable, which is the supply as well. */
  pullCable(): Promise<void> {
    return this.#cable(false);
  }

  /** Plugs it in again. */
  plugIn(): Promise<void> {
    return this.#cable(true);
  }

  /** Ends the process, as interrupting it does. @returns its flash. */
  async stop(): Promise<Uint8Array> {
    const ended = once(this.#process, 'exit');
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGINT');
      await ended;
    }
    await this.#plugging;
    await this.#line.unplug();
    return new Uint8Array(readFileSync(this.#file));
  }

  async #cable(plugged: boolean): Promise<void> {
    const moved = new Promise<boolean>((resolve) => this.#present.push(resolve));
    this.#control.write(`${JSON.stringify({ event: 'cable', plugged })}\n`);
    await moved;
    await this.#plugging;
  }

  #pass(bytes: Uint8Array): void {
    this.#passed += bytes.length;
    this.#uart.write(bytes);
  }

  #tell(event: LineEvent): void {
    this.#control.write(`${JSON.stringify({ ...event, at: this.#passed })}\n`);
  }

  /** The board says that it left the bus, or is back. */
  #moved(text: string): void {
    const { plug, unplug } = JSON.parse(text) as { plug?: true; unplug?: true };
    if (!plug && !unplug) return;
    this.#plugging = this.#plugging.then(() => (plug ? this.#line.plug() : this.#line.unplug()));
    for (const resolve of this.#present.splice(0)) resolve(plug === true);
  }
}

async function dial(address: string): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host ?? '', port: Number(port) });
  socket.setNoDelay(true);
  await once(socket, 'connect');
  // The process that ends takes its connections along.
  socket.on('error', () => socket.destroy());
  return socket;
}
