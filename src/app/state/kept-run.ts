/**
 * What a run needs to be gone on with after the page was reloaded or closed. Kept in the browser's own storage (IndexedDB) from the first
 * write to the end of the run; passwords are never in it.
 */
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type FlashStep } from '#workflows/run-flash-plan.ts';
import { type PickedFile } from '../workers/pick-files.ts';
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
    return this.#store?.load();
  }

  begin(plan: FlashPlan, run: KeptRun): void {
    this.#plan = plan;
    this.#save(run);
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

const DATABASE = 'twostep';
const STORE = 'runs';
const KEY = 'last';
/** Changes with what a `KeptRun` is: one of another kind is forgotten. */
const VERSION = 1;

/** In IndexedDB. Where the browser has none, or it is full, nothing is kept and nothing fails. */
export const browserRunStore: RunStore = {
  load: async () => (await inStore('readonly', (store) => store.get(KEY))) as KeptRun | undefined,
  save: async (run) => void (await inStore('readwrite', (store) => store.put(run, KEY))),
  clear: async () => void (await inStore('readwrite', (store) => store.delete(KEY))),
};

async function inStore(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  try {
    const database = await openDatabase();
    try {
      return await settled(work(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  } catch {
    // Private windows and full disks: then a reload begins anew, as without this.
    return undefined;
  }
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, VERSION);
  request.onupgradeneeded = () => {
    const { result } = request;
    if (result.objectStoreNames.contains(STORE)) result.deleteObjectStore(STORE);
    result.createObjectStore(STORE);
  };
  return settled(request);
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('The storage of the browser failed'));
  });
