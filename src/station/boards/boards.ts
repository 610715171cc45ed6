/** The list of boards: what is known of each, where it is, and what it said when it was last looked at. */
import { type BoardView, type FoundBoard, type ProvisionedBoard, type SlotView } from '#api.ts';
import { chipByName } from '#formats/chips.ts';
import { type RunningSlot } from '#formats/ota-slots.ts';
import { type Candidate } from '#workflows/update-state.ts';
import { type StationEvents } from '../events.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { newId } from '../new-id.ts';
import { Refusal } from '../refusal.ts';
import { hostOf, privateAddress } from './board-address.ts';
import { type BoardRecord, type BoardStore } from '../store/board-store.ts';
import { type Database } from '../store/database.ts';
import { type BoardRun, boardView, type Look, type Page } from './board-view.ts';
import { isSameBoard } from './same-mac.ts';

export interface BoardsOptions {
  database: Database;
  store: BoardStore;
  network: BoardNetwork;
  events: StationEvents;
  /** Milliseconds since 1970. */
  now: () => number;
}

export class Boards {
  /** The run of a board that is not over; set by whoever knows the runs. */
  runOf: (id: string) => BoardRun | undefined = () => undefined;
  readonly #options: BoardsOptions;
  readonly #looks = new Map<string, Look>();
  readonly #told = new Map<string, string>();
  /** Addresses that the last searches gave. */
  readonly #found = new Set<string>();

  constructor(options: BoardsOptions) {
    this.#options = options;
  }

  list(): BoardView[] {
    return this.#options.store.all().map((record) => this.#view(record));
  }

  /** @throws {Refusal} `not-found`. */
  view(id: string): BoardView {
    return this.#view(this.record(id));
  }

  /** @throws {Refusal} `not-found`. */
  record(id: string): BoardRecord {
    const record = this.#options.store.get(id);
    if (!record) throw new Refusal('not-found', 'There is no such board');
    return record;
  }

  /**
   * Adds the board at an address, or gives the one of the list that it is: by its MAC, if that can be seen, else by the address.
   *
   * @throws {Refusal} `address-refused`.
   */
  async add({ address: given, name }: { address: string; name?: string | undefined }): Promise<BoardView> {
    const { store } = this.#options;
    const address = checkedAddress(given);
    const mac = await this.#macOf(address);
    const there = store.byAddress(address);
    const same = there && (!there.mac || !mac || isSameBoard(there.mac, mac)) ? there : undefined;
    const named = mac === undefined ? undefined : this.#byMac(mac);
    const isShared = named !== undefined && (await this.#isStillAt(named, address));
    const known = isShared ? same : (named ?? same);
    const from = this.#found.has(address) ? 'found' : 'added';
    const record: BoardRecord = known ?? { id: newId(), from, holdings: [] };
    const { id } = this.#put({
      ...record,
      address,
      ...(mac && !record.mac && !isShared && { mac }),
      ...(name && { name }),
    });
    await this.look(id);
    return this.view(id);
  }

  /** @throws {Refusal} `not-found`, `address-refused`, `bad-request` for an unknown chip. */
  change(id: string, change: { name?: string; address?: string; chip?: string }): BoardView {
    const record = this.record(id);
    const chip = change.chip === undefined ? undefined : chipByName(change.chip);
    if (change.chip !== undefined && !chip) throw new Refusal('bad-request', 'There is no such chip');
    const address = change.address === undefined ? undefined : checkedAddress(change.address);
    if (address !== undefined && address !== record.address) {
      const there = this.#options.store.byAddress(address);
      if (this.runOf(id) || (there && this.runOf(there.id))) {
        throw new Refusal('in-use', 'An update of this board, or of the one at that address, is not over');
      }
      this.#looks.delete(id);
    }
    this.#put({
      ...record,
      ...(change.name !== undefined && { name: change.name }),
      ...(address !== undefined && { address }),
      ...(chip && { chip: chip.name }),
    });
    return this.view(id);
  }

  /** @throws {Refusal} `not-found`, `in-use`. */
  remove(id: string): void {
    this.record(id);
    if (this.runOf(id)) throw new Refusal('in-use', 'An update of this board is not over');
    this.#options.store.remove(id);
    this.#looks.delete(id);
    this.#told.delete(id);
    this.#options.events.boardGone(id);
  }

  /**
   * Asks for the board's page.
   *
   * @returns what it is to an update: a page of another board counts as none of a board.
   * @throws {Refusal} `not-found`.
   */
  async look(id: string, signal?: AbortSignal): Promise<Page> {
    const { address, mac } = this.record(id);
    if (address === undefined) return 'silent';
    if (this.runOf(id)?.busy) return this.#looks.get(id)?.page ?? 'silent';
    const { network } = this.#options;
    const page = await network.readPage(address, signal);
    const seen = page === 'silent' ? undefined : await this.#macOf(address);
    const other = mac !== undefined && seen !== undefined && !isSameBoard(mac, seen);
    if (mac === undefined && seen !== undefined && !this.#byMac(seen) && typeof page !== 'string') {
      this.#put({ ...this.record(id), mac: seen });
    }
    this.saw(id, other ? 'unknown' : page, other);
    return other ? 'unknown' : page;
  }

  /** Somebody has read its page. */
  saw(id: string, page: Page, other = false): void {
    this.#looks.set(id, { page, other, at: this.#options.now() });
    const record = this.#options.store.get(id);
    if (record) this.#tell(record);
  }

  /** What was written over the serial port: from now on the station knows the board by its MAC. */
  provisioned({ mac, chip, name, address, running, slots }: ProvisionedBoard): BoardView {
    const at = address === undefined ? undefined : this.#options.network.servedAt(checkedAddress(address));
    const known = this.#options.store.byMac(mac);
    const record = this.#put({
      ...(known ?? { id: newId(), holdings: [] }),
      from: 'provisioned',
      mac,
      chip: chipByName(chip)?.name ?? chip,
      ...(name !== undefined && { name }),
      ...(at !== undefined && { address: at }),
      running,
      holdings: slots.map((slot) => definedOnly(slot)),
    });
    this.#looks.delete(record.id);
    return this.view(record.id);
  }

  /** What a run left behind. To be called in a transaction. */
  keepHoldings(id: string, holdings: SlotView[], running: RunningSlot): void {
    const { store } = this.#options;
    const record = store.get(id);
    if (!record) return;
    store.put({ ...record, holdings, running }, this.#options.now());
  }

  /** A run found it elsewhere. */
  moved(id: string, address: string): void {
    const record = this.#options.store.get(id);
    if (record && record.address !== address) this.#put({ ...record, address });
  }

  /** Whether another board of the list is known to be at that address. */
  isAnother(id: string, address: string): boolean {
    const there = this.#options.store.byAddress(address);
    return there !== undefined && there.id !== id;
  }

  /** Something about it has changed that others know of. */
  changed(id: string): void {
    const record = this.#options.store.get(id);
    if (record) this.#tell(record);
  }

  async search(how: 'mdns' | 'scan', signal?: AbortSignal): Promise<FoundBoard[]> {
    const candidates = await this.#options.network.search(how, signal);
    return candidates.map((candidate) => {
      const address = privateAddress(candidate.address);
      if (address !== undefined) this.#found.add(address);
      const known = this.#known(candidate, candidates);
      if (known && address !== undefined && !this.runOf(known.id)) this.moved(known.id, address);
      return { ...candidate, ...(known && { id: known.id }) };
    });
  }

  #macOf(address: string): Promise<string | undefined> {
    return this.#options.network.macOf(hostOf(address)).catch(() => undefined);
  }

  /**
   * Whether the board answers where it was, and not at `address` only. Behind a Wi-Fi repeater several boards show the repeater's MAC: it
   * tells nothing of them then.
   */
  async #isStillAt({ address: was, mac = '' }: BoardRecord, address: string): Promise<boolean> {
    if (was === undefined || was === address || typeof (await this.#options.network.readPage(was)) === 'string')
      return false;
    const seen = await this.#macOf(was);
    return seen !== undefined && isSameBoard(mac, seen);
  }

  /** A MAC that several of those that were found show is not their own. */
  #known({ address, mac: shown }: Candidate, all: readonly Candidate[]): BoardRecord | undefined {
    const mac = all.filter((one) => one.mac === shown).length > 1 ? undefined : shown;
    const at = this.#options.store.byAddress(address);
    const contradicts = at?.mac !== undefined && mac !== undefined && !isSameBoard(at.mac, mac);
    return (mac === undefined ? undefined : this.#byMac(mac)) ?? (contradicts ? undefined : at);
  }

  #byMac(mac: string): BoardRecord | undefined {
    const { store } = this.#options;
    return store.byMac(mac) ?? store.all().find((record) => record.mac !== undefined && isSameBoard(record.mac, mac));
  }

  /** Writes it down; no other board can be at its address any more. */
  #put(record: BoardRecord): BoardRecord {
    const { database, store, now } = this.#options;
    const { id, address } = record;
    const before = address === undefined ? undefined : store.byAddress(address);
    database.transaction(() => {
      if (before && before.id !== id) {
        const displaced = { ...before };
        delete displaced.address;
        store.put(displaced, now());
      }
      store.put(record, now());
    });
    if (before && before.id !== id) this.changed(before.id);
    this.#tell(record);
    return record;
  }

  /** Unless only the time of the last look is new. */
  #tell(record: BoardRecord): void {
    const view = this.#view(record);
    const text = JSON.stringify(view, (key, value: unknown) => (key === 'seenAt' ? undefined : value));
    if (this.#told.get(record.id) === text) return;
    this.#told.set(record.id, text);
    this.#options.events.board(view);
  }

  #view(record: BoardRecord): BoardView {
    return boardView(record, { look: this.#looks.get(record.id), run: this.runOf(record.id) });
  }
}

/** @throws {Refusal} `address-refused`. */
function checkedAddress(text: string): string {
  const address = privateAddress(text);
  if (address === undefined) throw new Refusal('address-refused', 'It is no address of a private network');
  return address;
}

const definedOnly = <T extends object>(value: T): SlotView =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as unknown as SlotView;
