/** The releases that the station has: checked when they come, kept as the files that they came in. */
import { type ReleaseView } from '#api.ts';
import { checkRelease } from '#formats/release/check-release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release } from '#formats/release/release.ts';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type StationEvents } from '../events.ts';
import { Refusal } from '../refusal.ts';
import { type ReleaseImage, type ReleaseStore } from '../store/release-store.ts';
import { writeWhole } from '../store/kept-file.ts';
import { Turns } from '../turns.ts';
import { ReleaseCache } from './release-cache.ts';
import { refusingRelease } from './refused-release.ts';
import { releaseImages, releaseView, sha256Hex } from './release-view.ts';

export interface LibraryOptions {
  /** Where the files lie; made when it is not there. */
  folder: string;
  store: ReleaseStore;
  events: StationEvents;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Whether a run that is not over needs it. */
  inUse: (id: string) => boolean;
}

/** Hex digits of the file's digest that name a release. */
const ID_LENGTH = 20;

export class ReleaseLibrary {
  readonly #options: LibraryOptions;
  readonly #cache = new ReleaseCache();
  /** Reading a release takes many times its size in memory. */
  readonly #turns = new Turns();

  private constructor(options: LibraryOptions) {
    this.#options = options;
  }

  /** Removes what a crash left behind. */
  static async open(options: LibraryOptions): Promise<ReleaseLibrary> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(options.folder)) {
      if (!options.store.get(name)) await rm(join(options.folder, name), { force: true, recursive: true });
    }
    return new ReleaseLibrary(options);
  }

  list(): ReleaseView[] {
    return this.#options.store.all().map(({ view }) => view);
  }

  /** @throws {Refusal} `not-found`. */
  view(id: string): ReleaseView {
    const record = this.#options.store.get(id);
    if (!record) throw new Refusal('not-found', 'There is no such release');
    return record.view;
  }

  /**
   * Takes a file. One that is there already is the same release.
   *
   * @throws {Refusal} `release-refused`.
   */
  add(fileName: string, bytes: Uint8Array): Promise<ReleaseView> {
    return this.#turns.take(() => this.#add(fileName, bytes));
  }

  async #add(fileName: string, bytes: Uint8Array): Promise<ReleaseView> {
    const { folder, store, events, now } = this.#options;
    const id = sha256Hex(bytes).slice(0, ID_LENGTH);
    const known = store.get(id);
    if (known) return known.view;
    const release = readRelease(fileName, bytes);
    const view = releaseView(id, release, now());
    await writeWhole(join(folder, id), bytes);
    store.add({ view, fileName, size: bytes.length }, releaseImages(id, release));
    this.#cache.put(id, release, bytes.length);
    events.release(view);
    return view;
  }

  /** @throws {Refusal} `not-found`; `station-failed` when its file is not what it was. */
  load(id: string): Promise<Release> {
    const kept = this.#cache.get(id);
    return kept ? Promise.resolve(kept) : this.#turns.take(() => this.#load(id));
  }

  async #load(id: string): Promise<Release> {
    const kept = this.#cache.get(id);
    if (kept) return kept;
    const { folder, store } = this.#options;
    const record = store.get(id);
    if (!record) throw new Refusal('not-found', 'There is no such release');
    const bytes = new Uint8Array(await readFile(join(folder, id)));
    if (!sha256Hex(bytes).startsWith(id)) throw new Refusal('station-failed', `The file of release ${id} is damaged`);
    const release = readRelease(record.fileName, bytes);
    this.#cache.put(id, release, bytes.length);
    return release;
  }

  byDigest(sha256: string, role: 'app' | 'data'): ReleaseImage[] {
    return this.#options.store.byDigest(sha256, role);
  }

  byVersion(project: string, version: string): ReleaseImage[] {
    return this.#options.store.byVersion(project, version);
  }

  /** @throws {Refusal} `not-found`, `in-use`. */
  async remove(id: string): Promise<void> {
    const { folder, store, events, inUse } = this.#options;
    this.view(id);
    if (inUse(id)) throw new Refusal('in-use', 'An update that is not over needs it');
    store.remove(id);
    this.#cache.drop(id);
    await rm(join(folder, id), { force: true });
    events.releaseGone(id);
  }
}

/** @throws {Refusal} `release-refused`, for what no board could be given. */
function readRelease(path: string, bytes: Uint8Array): Release {
  const release = refusingRelease(() => recogniseRelease([{ path, bytes }]));
  const [fault] = checkRelease(release);
  if (fault) throw new Refusal('release-refused', `${fault.code}: ${fault.message}`);
  return release;
}
