/** Gives a release to the station: one file, or a build of many that is packed into one first. */
import { MAX_UPLOAD, type ReleaseView } from '#api.ts';
import { isAbort } from '#messages/error-message.ts';
import { type PickedFile } from '../../workers/pick-files.ts';
import { type Planner } from '../../workers/planner.ts';
import { type StationClient, StationFailure } from './station-client.ts';

export class ReleaseUpload {
  /** `packing`: the files are read and checked here. */
  status = $state<'idle' | 'packing' | 'sending'>('idle');
  name = $state('');
  sent = $state(0);
  total = $state(0);
  /** Why the last files were not taken. */
  error = $state.raw<unknown>();
  readonly busy = $derived(this.status !== 'idle');
  readonly #client: StationClient;
  readonly #startPlanner: () => Planner;
  #planner: Planner | undefined;
  #controller: AbortController | undefined;

  /** The planner is started with the first file. */
  constructor(client: StationClient, startPlanner: () => Planner) {
    this.#client = client;
    this.#startPlanner = startPlanner;
  }

  /** With `data`, they go along for the second slot. Gives the release as the station has it; nothing when that failed. */
  async send(files: readonly PickedFile[], data?: File): Promise<ReleaseView | undefined> {
    if (this.busy) return undefined;
    const { signal } = (this.#controller = new AbortController());
    this.error = undefined;
    this.status = 'packing';
    this.sent = 0;
    try {
      this.#planner ??= this.#startPlanner();
      const { name, bytes } = await this.#planner.pack(files, data);
      signal.throwIfAborted();
      if (bytes.length > MAX_UPLOAD) throw new StationFailure('too-large');
      this.name = name;
      this.total = bytes.length;
      this.status = 'sending';
      const file = new Blob([bytes]);
      return await this.#client.uploadRelease({ name, file }, { signal, onProgress: (sent) => (this.sent = sent) });
    } catch (error) {
      if (!isAbort(error)) this.error = error;
      return undefined;
    } finally {
      this.status = 'idle';
    }
  }

  cancel(): void {
    this.#controller?.abort();
  }
}
