/** What can go wrong above the device, as a stable code; the words for people live in `messages`. */
export type WorkflowErrorCode =
  /** The plan has objections; nothing was touched. */
  | 'plan-refused'
  /** A region that was written reads back different after all writes were done. */
  | 'verify-failed'
  /** A command that arrived damaged has erased or overwritten what the plan keeps; what it writes is in order, unless `cause` says otherwise. */
  | 'kept-damaged'
  /** A command that arrived damaged may have erased some of what the plan keeps: it is blank where that could be. */
  | 'kept-in-doubt'
  /** The board crashed after the start. */
  | 'boot-panic'
  /** The board restarts again and again. */
  | 'boot-loop'
  /** The boot loader found nothing that it could start. */
  | 'boot-no-app'
  /** The boot loader or the ROM refuses what lies in the flash. */
  | 'boot-refused'
  /** The boot loader started what lies in another slot than the one that was written. */
  | 'boot-other-slot'
  /** The line that the release names as its sign of life did not come. */
  | 'boot-check-missed'
  /** The board is up, but the access point refused its password. */
  | 'wifi-refused-by-network'
  /** The board is up, but finds no access point of that name. */
  | 'wifi-network-not-found'
  /** No partition has the label that was asked for. */
  | 'partition-not-found'
  /** A range that was asked for is not inside the flash. */
  | 'range-beyond-flash'
  /** The backup that was begun is of another board than the one that answers. */
  | 'backup-other-board'
  /** The backup that was begun is of other parts of the flash than those asked for now. */
  | 'backup-other-ranges'
  /** What is read from the flash has another digest each time. */
  | 'backup-unstable'
  /** Some boards of a network update do not have everything. */
  | 'update-incomplete';

/** Codes for what was asked and cannot be; nothing was touched. */
const REFUSALS: ReadonlySet<WorkflowErrorCode> = new Set<WorkflowErrorCode>([
  'plan-refused',
  'partition-not-found',
  'range-beyond-flash',
  'backup-other-board',
  'backup-other-ranges',
]);

/** Whether it is what was asked that stands in the way, not the board. */
export const isRefusedWish = (error: unknown): boolean => error instanceof WorkflowError && REFUSALS.has(error.code);

export class WorkflowError extends Error {
  override readonly name = 'WorkflowError';
  readonly code: WorkflowErrorCode;
  /** Names and numbers that the text needs. */
  readonly values: Readonly<Record<string, string | number>>;

  constructor(
    code: WorkflowErrorCode,
    message: string,
    options: { values?: Readonly<Record<string, string | number>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.values = options.values ?? {};
  }
}
