/** What is to be written: a release, and the data for the second slot. The bytes lie in the planner. */
import { normalPath } from '#formats/release/paths.ts';
import { type PickedFile } from '../workers/pick-files.ts';
import { type Planner } from '../workers/planner.ts';
import { type DataSummary } from '../workers/planner-messages.ts';
import { type ReleaseSummary } from '../workers/release-summary.ts';

export class ReleaseState {
  summary = $state.raw<ReleaseSummary>();
  data = $state.raw<DataSummary>();
  /** The files of the release, and the one with the data, as they were given. */
  files: readonly PickedFile[] = [];
  dataFile: File | undefined;
  reading = $state(false);
  /** Why the last files were no release; the one before stays. */
  error = $state.raw<unknown>();
  /** Why the last data file could not be read; the one before stays. */
  dataError = $state.raw<unknown>();
  readonly #planner: Planner;
  /** The last choice counts, however long an earlier one takes. */
  #turn = 0;

  constructor(planner: Planner) {
    this.#planner = planner;
  }

  async take(files: readonly PickedFile[]): Promise<void> {
    const turn = ++this.#turn;
    this.reading = true;
    this.error = undefined;
    try {
      // Answers come in the order of the questions. One that a later choice has overtaken counts until that is read, and if it is refused.
      const summary = await this.#planner.take(files);
      this.files = files.filter(({ path }) => summary.paths.includes(normalPath(path)));
      this.summary = summary;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.error = error;
    } finally {
      if (turn === this.#turn) this.reading = false;
    }
  }

  async takeData(file: File | undefined): Promise<void> {
    this.dataError = undefined;
    try {
      this.data = await this.#planner.takeData(file);
      this.dataFile = file;
    } catch (error) {
      this.dataError = error;
    }
  }

  /** Takes what `load` brings: a release and its data, such as the demo. */
  async takeBoth(load: () => Promise<{ files: PickedFile[]; data: File | undefined }>): Promise<void> {
    const turn = ++this.#turn;
    this.reading = true;
    this.error = undefined;
    try {
      const { files, data } = await load();
      if (turn !== this.#turn) return;
      await Promise.all([this.take(files), this.takeData(data)]);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.error = error;
      this.reading = false;
    }
  }
}
