/** One serial port of the rig: a process that holds the pty, and the entries by which the browser finds it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Readable, type Writable } from 'node:stream';

/** What the host did to its end of the line, in order with the bytes that it wrote. */
export type LineEvent =
  { event: 'open' | 'close' } | { event: 'modem'; dtr: boolean; rts: boolean } | { event: 'baud'; baud: number };

export interface UsbIds {
  vendor: number;
  product: number;
}

export interface SerialLineOptions {
  /** Folder of the rig. */
  folder: string;
  /** 0 for ttyUSB0, and so on. */
  index: number;
  usb: UsbIds;
  onBytes: (bytes: Uint8Array) => void;
  onEvent: (event: LineEvent) => void;
}

/** Numbers of USB serial devices (Documentation/admin-guide/devices.txt); high ones, where no real port is. */
const USB_SERIAL_MAJOR = 188;
const FIRST_MINOR = 200;
const FRAME_HEAD = 5;
const LONGEST_PIECE = 0x8000;

let sequence = 1;

export class SerialLine {
  readonly #options: SerialLineOptions;
  readonly #name: string;
  #process: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #pending: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #path: ((path: string) => void) | undefined;

  constructor(options: SerialLineOptions) {
    this.#options = options;
    this.#name = `ttyUSB${options.index}`;
  }

  /** The device appears on the bus. */
  async plug(): Promise<void> {
    if (this.#process) return;
    const { folder } = this.#options;
    const line = spawn(join(folder, 'pty_line'), [folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = line;
    this.#pending = Buffer.alloc(0);
    // It may end before it has read everything.
    line.stdin.on('error', () => undefined);
    const path = await new Promise<string>((resolve, reject) => {
      this.#path = resolve;
      line.once('error', reject);
      line.once('exit', (code) => reject(new Error(`pty_line ended with ${code}`)));
      line.stdout.on('data', (bytes: Buffer) => this.#received(bytes));
    });
    symlinkSync(path, this.#device);
    this.#enter();
    this.#announce('add');
  }

  /** The device leaves the bus: who has it open loses it. */
  async unplug(): Promise<void> {
    const line = this.#process;
    if (!line) return;
    this.#process = undefined;
    const ended = once(line, 'exit');
    this.#frame(line, 'H', Buffer.alloc(0));
    this.#remove();
    this.#announce('remove', line);
    line.stdin.end();
    await ended;
  }

  /** Bytes of the board; lost while nobody has the port open. */
  write(bytes: Uint8Array): void {
    if (!this.#process) return;
    for (let at = 0; at < bytes.length; at += LONGEST_PIECE) {
      this.#frame(this.#process, 'D', bytes.subarray(at, at + LONGEST_PIECE));
    }
  }

  get #device(): string {
    return join(this.#options.folder, 'dev', this.#name);
  }

  /** What udev would say of it. */
  #properties(): Record<string, string> {
    const { index, usb } = this.#options;
    const hex = (id: number): string => id.toString(16).padStart(4, '0');
    return {
      MAJOR: String(USB_SERIAL_MAJOR),
      MINOR: String(FIRST_MINOR + index),
      DEVNAME: this.#device,
      ID_BUS: 'usb',
      ID_VENDOR_ID: hex(usb.vendor),
      ID_MODEL_ID: hex(usb.product),
      ID_MODEL: `Board_${index}`,
      ID_MODEL_ENC: `Board\\x20${index}`,
    };
  }

  #enter(): void {
    const { folder } = this.#options;
    const entry = join(folder, 'devices', this.#name);
    const properties = this.#properties();
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
    mkdirSync(entry);
    writeFileSync(join(entry, 'uevent'), lines.join(''));
    writeFileSync(join(entry, 'dev'), `${properties['MAJOR']}:${properties['MINOR']}\n`);
    symlinkSync('/sys/class/tty', join(entry, 'subsystem'));
    symlinkSync(`../../devices/virtual/tty/${this.#name}`, join(folder, 'class', this.#name));
  }

  #remove(): void {
    const { folder } = this.#options;
    rmSync(this.#device, { force: true });
    rmSync(join(folder, 'class', this.#name), { force: true });
    rmSync(join(folder, 'devices', this.#name), { recursive: true, force: true });
  }

  /** As the kernel tells of it: a headline and properties, each ended by a zero. */
  #announce(action: 'add' | 'remove', line = this.#process): void {
    const devpath = `/devices/virtual/tty/${this.#name}`;
    const properties = { ACTION: action, DEVPATH: devpath, SUBSYSTEM: 'tty', ...this.#properties() };
    const lines = Object.entries({ ...properties, SEQNUM: String(sequence++) }).map(
      ([key, value]) => `${key}=${value}`,
    );
    if (line) this.#frame(line, 'U', Buffer.from(`${action}@${devpath}\0${lines.join('\0')}\0`));
  }

  #frame(line: ChildProcessByStdio<Writable, Readable, null>, kind: string, body: Uint8Array): void {
    const head = Buffer.alloc(FRAME_HEAD);
    head.writeUInt32LE(body.length);
    head.write(kind, 4, 'latin1');
    line.stdin.write(Buffer.concat([head, body]));
  }

  #received(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= FRAME_HEAD) {
      const end = FRAME_HEAD + this.#pending.readUInt32LE(0);
      if (this.#pending.length < end) return;
      const body = this.#pending.subarray(FRAME_HEAD, end);
      const kind = this.#pending.toString('latin1', 4, 5);
      this.#pending = this.#pending.subarray(end);
      if (kind === 'D') this.#options.onBytes(body);
      else if (kind === 'E') this.#options.onEvent(JSON.parse(body.toString()) as LineEvent);
      else this.#path?.(body.toString());
    }
  }
}
