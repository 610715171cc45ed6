/** A backup of the connected board, before anything is written to it. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { type Progress } from '#device/flash-memory.ts';
import { type BackupManifest, type BackupStretch } from '#formats/backup/backup.ts';
import { isAbort } from '#messages/error-message.ts';
import { planBackup, resumableStretches, runBackup } from '#workflows/backup.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { RateMeter } from '#workflows/rate-meter.ts';
import { backupFileName, timestamp } from './backup-facts.ts';
import { type BackupPlace, chooseBackupPlace } from './backup-place.ts';
import { type BoardConnection } from './board-connection.svelte.ts';
import { type JobStatus } from './provision-job.svelte.ts';

/** A backup that is under way, or was until the board was lost. */
interface Begun {
  manifest: BackupManifest;
  place: BackupPlace;
  /** Bytes that the place has. */
  size: number;
  headSize: number;
  stretches: (BackupStretch & { fileEnd: number })[];
}

export class BackupJob {
  status = $state<JobStatus>('idle');
  progress = $state.raw<Progress>({ done: 0, total: 0 });
  secondsLeft = $state<number>();
  error = $state.raw<unknown>();
  /** Name of the file that is complete. */
  savedAs = $state('');
  /** MAC of the board whose backup was broken off and can be gone on with. */
  waitsFor = $state<string>();
  readonly running = $derived(this.status === 'running');
  readonly #clock: Clock;
  readonly #choosePlace: typeof chooseBackupPlace;
  #begun: Begun | undefined;
  #controller: AbortController | undefined;

  constructor(clock: Clock, choosePlace = chooseBackupPlace) {
    this.#clock = clock;
    this.#choosePlace = choosePlace;
  }

  /** Backs the board up, or goes on where it was. Inside a click. Never throws: what went wrong stands in `error`. */
  async run(connection: BoardConnection): Promise<void> {
    const { board } = connection;
    if (this.running || !board) return;
    this.status = 'running';
    this.error = undefined;
    this.progress = { done: 0, total: board.flashSize };
    const { signal } = (this.#controller = new AbortController());
    try {
      const begun = await this.#begin(board);
      if (begun) await connection.lend((bootloader) => this.#backUp(bootloader, begun, signal));
      this.status = begun ? 'done' : 'idle';
    } catch (error) {
      this.status = isAbort(error) ? 'cancelled' : 'failed';
      this.error = isAbort(error) ? undefined : error;
      if (isAbort(error)) await this.#discard();
      else this.waitsFor = this.#begun?.manifest.mac;
    } finally {
      this.secondsLeft = undefined;
    }
  }

  cancel(): void {
    this.#controller?.abort();
  }

  /** For another board. What waits for the first one to come back stays. */
  reset(): void {
    this.status = 'idle';
    this.error = undefined;
    this.savedAs = '';
  }

  /** The one that waits for this board, else a new one; `undefined` when the user chooses no place for it. */
  async #begin(board: BoardState): Promise<Begun | undefined> {
    if (this.#begun && this.waitsFor === board.identity.mac) return this.#begun;
    await this.#discard();
    const manifest = planBackup(board, { created: timestamp() });
    const place = await this.#choosePlace(backupFileName(manifest));
    this.#begun = place && { manifest, place, size: 0, headSize: 0, stretches: [] };
    return this.#begun;
  }

  async #backUp(bootloader: Bootloader, begun: Begun, signal: AbortSignal): Promise<void> {
    const { manifest, place } = begun;
    const done = begun.headSize > 0 ? await this.#goOn(bootloader, begun, signal) : undefined;
    const meter = new RateMeter();
    await runBackup(bootloader, manifest, {
      sink: {
        append: async (bytes) => {
          await place.append(bytes);
          begun.size += bytes.length;
          begun.headSize ||= bytes.length;
        },
      },
      done,
      signal,
      onStretch: (stretch) => begun.stretches.push({ ...stretch, fileEnd: begun.size }),
      onProgress: (progress) => {
        meter.add(this.#clock.now(), progress.done);
        this.progress = progress;
        this.secondsLeft = meter.secondsLeft(progress.total);
      },
    });
    await place.finish();
    this.savedAs = place.name;
    this.#begun = undefined;
    this.waitsFor = undefined;
  }

  /** Behind what the board still has. */
  async #goOn(bootloader: Bootloader, begun: Begun, signal: AbortSignal): Promise<BackupStretch[]> {
    const { manifest, stretches, headSize } = begun;
    const read = { manifest, stretches, unbroken: stretches.length };
    begun.stretches = await resumableStretches(bootloader, read, { plan: manifest, signal });
    begun.size = begun.stretches.at(-1)?.fileEnd ?? headSize;
    await begun.place.cut(begun.size);
    return begun.stretches;
  }

  async #discard(): Promise<void> {
    const begun = this.#begun;
    this.#begun = undefined;
    this.waitsFor = undefined;
    // Whether what is left over can be deleted is no matter of the job.
    await begun?.place.discard().catch(() => undefined);
  }
}
