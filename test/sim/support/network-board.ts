/** A board on a network in modelled time, beside a host that asks it and serves its files. */
import { type Partition } from '#formats/partition-table.ts';
import { ModelClock } from '#model-clock.ts';
import { type FirmwareName, firmwareByName } from '#sim/firmware/firmwares.ts';
import { type SeedOptions } from '#sim/firmware/seed-options.ts';
import { FaultInjector, type Fault } from '#sim/faults.ts';
import { type AccessPoint } from '#sim/machine.ts';
import { MemoryLan, type MemoryLanOptions } from '#sim/network/memory-lan.ts';
import { type NetworkFault } from '#sim/network/network-faults.ts';
import { Wifi } from '#sim/network/wifi.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { appFor, flashWith, tableOf } from './boot-flash.ts';
import { exchange, FileServer, type FileServerOptions, get } from './lan-hosts.ts';

export const BOARD = '192.168.1.57';
export const STATION = '192.168.1.10';

export interface NetworkBoardShape {
  chip?: string;
  firmware?: FirmwareName;
  changes?: Partial<SeedOptions>;
  partitions?: Partition[];
  flash?: Uint8Array;
  content?: Record<string, Uint8Array>;
  files?: Record<string, Uint8Array>;
  server?: FileServerOptions;
  faults?: NetworkFault[];
  boardFaults?: Fault[];
  lan?: MemoryLanOptions;
  accessPoint?: AccessPoint;
}

export class NetworkBoard {
  readonly clock = new ModelClock();
  readonly lan: MemoryLan;
  readonly wifi: Wifi;
  readonly board: VirtualEsp32;
  readonly station;
  readonly server: FileServer;
  /** Those of the board itself; more of them can be added. */
  readonly faults: FaultInjector;
  /** What the board printed. */
  output = '';

  constructor(shape: NetworkBoardShape = {}) {
    const { chip = 'esp32', firmware = 'seed', partitions = tableOf(), content = {}, files = {} } = shape;
    const { clock } = this;
    this.lan = new MemoryLan(clock, shape.lan);
    this.station = this.lan.host(STATION);
    this.server = new FileServer(this.station, files, shape.server);
    this.wifi = new Wifi({
      clock,
      accessPoint: shape.accessPoint ?? 'any',
      address: BOARD,
      lan: (address) => this.lan.host(address),
      ...(shape.faults ? { faults: shape.faults } : {}),
    });
    this.faults = new FaultInjector(shape.boardFaults);
    const flash = shape.flash ?? flashWith({ chip, partitions, content: { ota_0: appFor(chip), ...content } });
    this.board = new VirtualEsp32({
      chip,
      clock,
      flash,
      network: this.wifi,
      instantLine: true,
      startFirmware: firmwareByName(firmware, shape.changes),
      faults: this.faults,
    });
    this.wifi.board = this.board;
    const text = new TextDecoder();
    this.board.attach({ receive: (bytes) => (this.output += text.decode(bytes)), lost: () => undefined });
  }

  /** Lines without times. */
  get lines(): string[] {
    return this.output
      .replaceAll(/^([EWI]) \(\d+\)/gm, '$1')
      .split('\r\n')
      .filter(Boolean);
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /** Long enough to be on the network. */
  async online(): Promise<this> {
    await this.advance(5000);
    return this;
  }

  /** Everything that comes back for these bytes. */
  ask(send: string, options: { ms?: number; host?: string } = {}): Promise<{ text: string; closed: boolean }> {
    return this.clock.run(exchange(this.clock, this.station, { host: this.wifi.address, send, ...options }));
  }

  /** The body of the index page. */
  async page(): Promise<string> {
    const { text } = await this.ask(get('/'));
    return text.slice(text.indexOf('\r\n\r\n') + 4);
  }

  /** Asks for an update by a file of the server, and gives it time. */
  async update(path: string, ms = 60_000): Promise<void> {
    await this.ask(get(`/ota?url=http://${STATION}:8000${path}`));
    await this.advance(ms);
  }

  slot(name: 'ota_0' | 'ota_1', length: number, partitions = tableOf()): Uint8Array {
    const { offset } = partitions.find((partition) => partition.name === name)!;
    return this.board.flash.bytes.slice(offset, offset + length);
  }
}
