/** Boards by their behaviour, and the listener from which they download, without a network: for tests of the station. */
import { type BoardsListener } from '#api.ts';
import { type Clock, sleep } from '#clock.ts';
import { isDataImage } from '#formats/data/data-image.ts';
import { type RunningSlot, updateSlot } from '#formats/ota-slots.ts';
import { readFile } from 'node:fs/promises';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { type Candidate } from '#workflows/update-state.ts';
import { type BoardPage } from '#device/board-page.ts';
import { shownOf } from '#formats/data/shown-data.ts';
import { type BoardFiles, type OfferedFile, type OfferHandle } from '../../../src/station/board-files/board-files.ts';
import { type BoardNetwork } from '../../../src/station/network/board-network.ts';

/** What becomes of a request to download; `well` when nothing more is listed. */
export type Fate = 'well' | 'refused' | 'breaks' | 'not-delivered';

export class FakeBoard {
  running: RunningSlot = 'PA';
  project = 'voice_box';
  version = '1.0.0';
  /** Hex. */
  shown = '6f6c642064617461';
  mac: string | undefined;
  reachable = true;
  readonly fates: Fate[] = [];
  /** Files that it was asked to download. */
  readonly asked: string[] = [];
  /** What the app that it downloads calls itself. */
  nextVersion = '2.0.0';

  get page(): BoardPage {
    const { running, project, version, shown } = this;
    return { running, project, version, shown };
  }
}

/** Bytes that a board asks for at once. */
const RANGE = 65_536;

export class FakeLan implements BoardNetwork, BoardFiles {
  readonly boards = new Map<string, FakeBoard>();
  readonly offers = new Map<string, { file: OfferedFile; serve: (range: ByteRange) => void }>();
  candidates: Candidate[] = [];
  canOpen = true;
  /** Milliseconds for each range. */
  rangeMs = 500;
  /** Boards that download at this moment, and the most there have been. */
  downloading = 0;
  mostAtOnce = 0;
  #state: BoardsListener['state'] = 'closed';
  readonly #clock: Clock;
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(address: string, change: Partial<FakeBoard> = {}): FakeBoard {
    const board = Object.assign(new FakeBoard(), change);
    this.boards.set(address, board);
    return board;
  }

  /** Nothing moves any more. */
  end(): void {
    this.#ended = true;
  }

  // --- The network ---

  async readPage(address: string): Promise<BoardPage | 'silent'> {
    const board = this.boards.get(address);
    return board?.reachable ? board.page : 'silent';
  }

  async startDownload({ address, url }: { address: string; url: string }): Promise<'taken' | 'not-delivered'> {
    const board = this.boards.get(address);
    const fate = board?.fates.shift() ?? 'well';
    if (!board?.reachable || fate === 'not-delivered') return 'not-delivered';
    const name = url.split('/').at(-1) ?? '';
    board.asked.push(name);
    if (fate !== 'refused') void this.#download(board, name, fate);
    return 'taken';
  }

  async find(): Promise<Candidate[]> {
    return this.candidates;
  }

  async search(): Promise<Candidate[]> {
    return this.candidates;
  }

  async macOf(address: string): Promise<string | undefined> {
    return this.boards.get(address)?.mac;
  }

  networks(): { address: string; network: string; interface: string }[] {
    return [{ address: '192.168.7.2', network: '192.168.7.0/24', interface: 'eth0' }];
  }

  addressFor(board: string): string | undefined {
    return board.startsWith('192.168.7.') ? '192.168.7.2' : undefined;
  }

  servedAt(board: string): string {
    return board;
  }

  // --- The files ---

  get state(): BoardsListener {
    return { state: this.#state, address: '0.0.0.0', port: 4601, networks: this.networks() };
  }

  async open(): Promise<void> {
    this.#state = this.canOpen ? 'open' : 'failed';
  }

  async close(): Promise<void> {
    this.#state = 'closed';
  }

  offer(file: OfferedFile, onServed: (range: ByteRange) => void): OfferHandle {
    const offer = { file, serve: onServed };
    this.offers.set(file.name, offer);
    return {
      open: false,
      sent: 0,
      withdraw: () => void this.offers.delete(file.name),
    };
  }

  urlFor(name: string, boardAddress: string): string | undefined {
    const own = this.addressFor(boardAddress);
    return own && `http://${own}:4601/f/${name}`;
  }

  /** The restart takes four seconds. */
  async #download(board: FakeBoard, name: string, fate: Fate): Promise<void> {
    this.downloading++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.downloading);
    try {
      const whole = await this.#fetch(name, fate);
      if (!whole) return;
      if (isDataImage(whole)) {
        board.shown = shownOf(whole);
        return;
      }
      board.reachable = false;
      await sleep(this.#clock, 4000);
      Object.assign(board, { running: updateSlot(board.running), version: board.nextVersion, reachable: true });
    } finally {
      this.downloading--;
    }
  }

  async #fetch(name: string, fate: Fate): Promise<Uint8Array | undefined> {
    const first = this.offers.get(name);
    if (!first) return undefined;
    const bytes = new Uint8Array(await this.#clock.outside(readFile(first.file.path)));
    for (let at = 0; at < bytes.length; at += RANGE) {
      await sleep(this.#clock, this.rangeMs);
      const offer = this.offers.get(name);
      if (!offer || this.#ended || (at > 0 && fate === 'breaks')) return undefined;
      offer.serve([at, Math.min(at + RANGE, bytes.length)]);
    }
    return bytes;
  }
}
