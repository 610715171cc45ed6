/** What the user gave is refused before anything is touched: exit code 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code: string;
  /** The one thing to do. */
  readonly todo: string | undefined;

  constructor(code: string, message: string, todo?: string) {
    super(message);
    this.code = code;
    this.todo = todo;
  }
}
