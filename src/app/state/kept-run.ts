/**
 * What a run needs to be gone on with after the page was reloaded or closed. Kept in the browser's own storage (IndexedDB) from the first
 * write to the end of the run; passwords are never in it.
 */
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type WatchedPart } from '#workflows/kept-guard.ts';
import { type FlashStep } from '#workflows/run-flash-plan.ts';
import { type PickedFile } from '../workers/pick-files.ts';
import { PageStorage } from './page-storage.ts';
import { type KeptSettings } from './settings-state.svelte.ts';

export interface KeptRun {
  /** As the user knows it: `voice-box 2.4.0`. */
  release: string;
  /** Of the board; `undefined` where the chip does not tell. */
  mac: string | undefined;
  files: PickedFile[];
  data: File | undefined;
  settings: KeptSettings;
  /** The board has the Wi-Fi already, so nobody has to type its password again. */
  wifiWritten: boolean;
  /** What it was to leave as it is, once it has begun to write. */
  watched?: readonly WatchedPart[] | undefined;
}

export interface RunStore {
  load(): Promise<KeptRun | undefined>;
  save(run: KeptRun): Promise<void>;
  clear(): Promise<void>;
}

/** Keeps the run that goes on, step by step. One after the other, so that the last word counts. */
export class KeptRuns {
  readonly #store: RunStore | undefined;
  #run: KeptRun | undefined;
  #plan: FlashPlan | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: RunStore | undefined) {
    this.#store = store;
  }

  async load(): Promise<KeptRun | undefined> {
    const kept = await this.#store?.load();
    // One that has begun meanwhile is the last.
    return (this.#run ??= kept);
  }

  /** What a run on that board watched that ended before it could look. */
  watchedOn(mac: string | undefined): KeptRun['watched'] {
    return mac === undefined || mac !== this.#run?.mac ? undefined : this.#run.watched;
  }

  begin(plan: FlashPlan, run: KeptRun): void {
    this.#plan = plan;
    this.#save({ ...run, watched: this.watchedOn(run.mac) });
  }

  /** `undefined`: it was looked after. */
  noteWatched(watched: KeptRun['watched']): void {
    if (this.#run) this.#save({ ...this.#run, watched });
  }

  /** Once the settings are in the flash, which are verified as they are written, their password is not needed any more. */
  noteStep(step: FlashStep): void {
    const [run, plan] = [this.#run, this.#plan];
    if (!run || !plan?.wifi || run.wifiWritten || step.kind === 'compare') return;
    const passed = step.kind === 'verify' ? plan.writes : plan.writes.slice(0, step.index);
    if (passed.some(({ role, transient }) => role === 'nvs' && !transient)) this.#save({ ...run, wifiWritten: true });
  }

  async end(): Promise<void> {
    this.#run = undefined;
    this.#last = this.#last.then(() => this.#store?.clear());
    await this.#last;
  }

  #save(run: KeptRun): void {
    this.#run = run;
    this.#last = this.#last.then(() => this.#store?.save(run));
  }
}

const storage = new PageStorage<KeptRun>({ name: 'twostep', version: 2 });
const KEY = 'last';

/** In the browser's own storage. */
export const browserRunStore: RunStore = {
  load: () => storage.load(KEY),
  save: async (run) => void (await storage.save(KEY, run)),
  clear: () => storage.remove(KEY),
};
