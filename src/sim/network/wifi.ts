/** The Wi-Fi that a board finds: an access point with a network behind it, what it hands out, and what goes wrong there. */
import { type Clock } from '#clock.ts';
import { type AccessPoint, type SimNetwork } from '#sim/machine.ts';
import { FaultyLan } from './faulty-lan.ts';
import { type Lan } from './lan.ts';
import { type BoardFault, type NetworkFault, NetworkFaults } from './network-faults.ts';

/** What faults do to the board itself: a `VirtualEsp32` has these. */
export interface FaultyBoard {
  reset(reason: 'software'): void;
  powerCycle(): void;
}

export interface WifiOptions {
  readonly clock: Clock;
  readonly accessPoint: AccessPoint | 'any';
  /** What the board is given when it joins. */
  readonly address: string;
  /** Opens the network behind the access point at that address. */
  readonly lan: (address: string) => Lan;
  readonly faults?: readonly NetworkFault[];
}

/** lwIP gives a connection up whose keep-alive packets stay unanswered: 5 s until the first one, then three at 5 s each. */
const KEEP_ALIVE_MS = 20_000;

export class Wifi implements SimNetwork {
  /** What the next station that joins is given. */
  address: string;
  readonly faults: NetworkFaults;
  /** Whom faults restart. */
  board: FaultyBoard | undefined;
  readonly join: (address: string) => Lan;
  readonly #clock: Clock;
  readonly #accessPoint: AccessPoint | 'any';
  readonly #watchers = new Set<(present: boolean) => void>();
  #goneUntil = 0;
  #joined: FaultyLan | undefined;

  constructor({ clock, accessPoint, address, lan, faults = [] }: WifiOptions) {
    this.#clock = clock;
    this.#accessPoint = accessPoint;
    this.address = address;
    this.faults = new NetworkFaults(clock, faults);
    const onBoardFault = (fault: BoardFault): void => this.#happen(fault);
    this.join = (given) => (this.#joined = new FaultyLan(lan(given), { clock, faults: this.faults, onBoardFault }));
  }

  get accessPoint(): AccessPoint | 'any' | undefined {
    return this.#isGone ? undefined : this.#accessPoint;
  }

  watch(onPresence: (present: boolean) => void): () => void {
    this.#watchers.add(onPresence);
    return () => this.#watchers.delete(onPresence);
  }

  /** The access point is away for so many milliseconds. Connections wait, and break when they have waited too long. */
  goAway(ms: number): void {
    const was = this.#isGone;
    this.#goneUntil = Math.max(this.#goneUntil, this.#clock.now() + ms);
    this.faults.hide(ms);
    if (was) return;
    const joined = this.#joined;
    this.#tell(false);
    this.#clock.after(KEEP_ALIVE_MS, () => {
      if (this.#isGone && joined === this.#joined) joined?.breakAll();
    });
    this.#awaitReturn();
  }

  get #isGone(): boolean {
    return this.#clock.now() < this.#goneUntil;
  }

  #awaitReturn(): void {
    this.#clock.after(this.#goneUntil - this.#clock.now(), () => {
      if (this.#isGone) this.#awaitReturn();
      else this.#tell(true);
    });
  }

  #tell(present: boolean): void {
    for (const watcher of this.#watchers) watcher(present);
  }

  #happen(fault: BoardFault): void {
    if (fault.kind === 'wifi-gone') this.goAway(fault.ms);
    else if (fault.kind === 'new-address') this.address = fault.address;
    else if (fault.kind === 'restart') this.board?.reset('software');
    else this.board?.powerCycle();
  }
}
