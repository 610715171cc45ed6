/**
 * A station and a board in one process, in modelled time: the update's own runner, the device layer's HTTP, the station's rules for ranges,
 * and a virtual board that downloads as ESP-IDF does. The station can be killed and started again; its journal is what survives.
 */
import { readBoardPage, startBoardDownload } from '#device/board-http.ts';
import { equalBytes } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { type SlotName } from '#formats/ota-slots.ts';
import { chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '#formats/otadata.ts';
import { type ModelClock } from '#model-clock.ts';
import { type FaultInjector } from '#sim/faults.ts';
import { type FirmwareName } from '#sim/firmware/firmwares.ts';
import { type NetworkFault } from '#sim/network/network-faults.ts';
import { type Wifi } from '#sim/network/wifi.ts';
import { type VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { UpdateRun } from '#workflows/run-update.ts';
import { type UpdateSurroundings } from '#workflows/update-surroundings.ts';
import {
  type Candidate,
  initialState,
  type RunFacts,
  type Transfer,
  type UpdateEvent,
  type UpdateState,
} from '#workflows/update-state.ts';
import { shownOf } from '#formats/data/shown-data.ts';
import { memoryDial } from '../support/memory-dial.ts';
import { MemoryFileServer } from '../support/memory-file-server.ts';
import { appFor, tableOf } from '../sim/support/boot-flash.ts';
import { BOARD, NetworkBoard, STATION } from '../sim/support/network-board.ts';

const PORT = 4680;
const CHIP = 'esp32s3';
const PARTITIONS = tableOf({ size: 0x6_0000 });

interface Version {
  app: Uint8Array;
  data: Uint8Array;
}

/** App and data of a version, of several ranges each. */
function version(name: string): Version {
  const payload = new Uint8Array(160_000).map((_byte, index) => (index * 31 + name.charCodeAt(0) * index) & 0xff);
  payload.set(new TextEncoder().encode(`v${name} `.padEnd(16, '.')));
  payload.fill(0, 16, 256); // byte 213 of the image counts as a flash mode
  return {
    app: appFor(CHIP, { version: name, constants: 150_000 }),
    data: packDataImage(payload, { chip: chipByName(CHIP)! }),
  };
}

export interface WorldOptions {
  firmware: FirmwareName;
  /** What goes wrong on the board's network, and with the board. */
  network?: readonly NetworkFault[];
  /** The old data are at hand. */
  wayBack?: boolean;
}

export class TwoStepWorld {
  readonly clock: ModelClock;
  readonly faults: FaultInjector;
  readonly wifi: Wifi;
  readonly board: VirtualEsp32;
  readonly old = version('1.0');
  readonly next = version('2.0');
  readonly journal: { event: UpdateEvent; state: UpdateState }[] = [];
  /** How often `/ota` was asked for each file. */
  readonly asked = new Map<string, number>();
  /** Called when a state has been written down, before it is acted on. */
  onJournal: ((count: number) => void) | undefined;
  server: MemoryFileServer | undefined;
  run: UpdateRun | undefined;
  readonly #facts: RunFacts;
  readonly #board: NetworkBoard;
  #names = 0;

  constructor({ firmware, network = [], wayBack = true }: WorldOptions) {
    const { app, data } = this.old;
    this.#board = new NetworkBoard({
      ...{ chip: CHIP, firmware, partitions: PARTITIONS, faults: [...network] },
      content: { ota_0: app, ota_1: data },
      accessPoint: { ssid: 'workshop', password: '' },
    });
    const { clock, faults, wifi, board } = this.#board;
    this.clock = clock;
    this.faults = faults;
    this.wifi = wifi;
    this.board = board;
    this.#facts = {
      steps: ['app', 'data'],
      from: 'PA',
      sizes: {
        app: this.next.app.length,
        data: this.next.data.length,
        ...(wayBack && { restore: this.old.data.length }),
      },
      shown: { before: shownOf(this.old.data), data: shownOf(this.next.data), restore: shownOf(this.old.data) },
      trialMs: firmware === 'seed-5.5-rollback' ? 6000 : 0,
    };
  }

  /** The file of a transfer. */
  fileOf(transfer: Transfer): Uint8Array {
    return transfer === 'app' ? this.next.app : transfer === 'data' ? this.next.data : this.old.data;
  }

  /** Begins, or goes on with what the journal says. */
  startStation(): UpdateRun {
    const host = this.#board.station;
    const server = new MemoryFileServer(host, this.clock, PORT);
    this.server = server;
    const last = this.journal.at(-1)?.state;
    const dial = memoryDial(host);
    this.run = new UpdateRun(last ?? initialState(this.#facts, BOARD), this.#surroundings(server, dial), {
      resumed: last !== undefined,
    });
    return this.run;
  }

  /** SIGKILL: nothing is said to anybody; the computer stays on the network, and its connections are reset. */
  killStation(): void {
    this.run?.halt();
    this.run = undefined;
    this.server?.close();
    this.server = undefined;
  }

  #surroundings(server: MemoryFileServer, dial: ReturnType<typeof memoryDial>): UpdateSurroundings {
    const { clock } = this;
    const at = (address: string) => ({ host: address, port: 80 });
    const alive = (): boolean => this.server === server;
    return {
      clock,
      journal: async (event, state) => {
        // What a killed program would still have written is not written.
        if (!alive()) return new Promise(() => undefined);
        this.journal.push({ event, state });
        this.onJournal?.(this.journal.length);
      },
      readPage: async (address, signal) => {
        const page = await readBoardPage(at(address), { dial, clock, signal });
        return typeof page === 'string' ? undefined : page;
      },
      startDownload: async ({ address, url }, signal) => {
        const name = url.slice(url.lastIndexOf('/') + 1);
        this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
        return startBoardDownload({ ...at(address), url }, { dial, clock, signal });
      },
      offer: async ({ transfer, file }, onServed) => {
        const offer = server.offer(file, this.fileOf(transfer), onServed);
        return {
          url: `http://${STATION}:${PORT}/f/${file}`,
          get open() {
            return offer.open;
          },
          withdraw: offer.withdraw,
        };
      },
      find: async (_state, signal) => this.#find(dial, signal),
      newFileName: () => `file${(this.#names++).toString().padStart(12, '0')}`,
    };
  }

  /** A scan: every address that the board may have. */
  async #find(dial: ReturnType<typeof memoryDial>, signal: AbortSignal): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (const address of new Set([BOARD, this.wifi.address])) {
      const page = await readBoardPage({ host: address, port: 80 }, { dial, clock: this.clock, signal });
      if (typeof page !== 'string') found.push({ address });
    }
    return found;
  }

  slotHolds(slot: SlotName, file: Uint8Array): boolean {
    return equalBytes(this.slot(slot, file.length), file);
  }

  /** What begins at a slot's start. */
  slot(name: SlotName, length: number): Uint8Array {
    return this.#board.slot(name === 'PA' ? 'ota_0' : 'ota_1', length, PARTITIONS);
  }

  /** What otadata says. */
  get bootSlot(): SlotName {
    const bytes = this.board.flash.bytes.subarray(0xd000, 0xd000 + OTADATA_SIZE);
    const { order } = chooseBootSlot(decodeOtadata(bytes), { slotCount: 2, hasFactory: false });
    return order[0] === 1 ? 'PB' : 'PA';
  }
}
