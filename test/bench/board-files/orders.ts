/** What the processes of this benchmark are told, and what they answer. */

export interface ServeOrder {
  folder: string;
  /** Of files that are all alike. */
  names: readonly string[];
  size: number;
  sha256: string;
}

export interface DownloadOrder {
  port: number;
  /** One client for each. */
  names: readonly string[];
  /** The file that all of them are copies of. */
  original: string;
  rangeSize: number;
}

export interface Downloaded {
  /** Until the last client has everything. */
  ms: number;
  requests: number;
  /** What went wrong, each kind once. */
  failures: string[];
}

export interface Memory {
  /** MiB that the process had before the first board came, and at most. */
  before: number;
  peak: number;
}
