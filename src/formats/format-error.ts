/** What is wrong with an input, as a stable code; the words for people live with the page and the command line. */

/** Where in the input: as much as is known. */
export interface FormatErrorPlace {
  /** File name or label as the user knows it. */
  file?: string;
  /** 1-based line and column of a text. */
  line?: number;
  column?: number;
  /** Byte offset in a binary. */
  offset?: number;
}

/** Thrown by strict readers and by all writers of `formats`. Input is refused whole. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  /** Stable, kebab-case, prefixed by the format: `partition-overlap`, `nvs-no-room`, `image-bad-magic`. */
  readonly code: string;
  readonly place: FormatErrorPlace;

  constructor(code: string, message: string, options: { place?: FormatErrorPlace; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place ?? {};
  }
}

/** Something noticed by a lenient reader or a check that does not stop the work. */
export interface FormatIssue {
  code: string;
  message: string;
  place?: FormatErrorPlace;
}
