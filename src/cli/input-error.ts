import { type FormatErrorPlace } from '#formats/format-error.ts';

/** What the user gave is refused before anything is touched: exit code 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code: string;
  /** The one thing to do. */
  readonly todo: string | undefined;
  readonly place: FormatErrorPlace;

  constructor(
    code: string,
    message: string,
    { todo, place = {}, cause }: { todo?: string; place?: FormatErrorPlace; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.todo = todo;
    this.place = place;
  }
}
