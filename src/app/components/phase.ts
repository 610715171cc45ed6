/** A named step of a run, as Phases shows it. */
export interface Phase {
  id: string;
  title: string;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped';
  /** What it does now, or what came of it: `2.1 of 7.2 MiB`, `3.4 s`. */
  detail?: string | undefined;
}
