/** Why a station does not start, as a stable code, with the one thing to do. */

export type StartErrorCode =
  /** Another station uses the data folder. */
  | 'data-in-use'
  /** The data folder was written by a newer version of this program. */
  | 'data-newer'
  /** The data folder cannot be made, read or written. */
  | 'data-unusable'
  /** Plain http beyond this computer. */
  | 'insecure-listen'
  /** Certificate or key cannot be read, or do not belong together. */
  | 'tls-unusable'
  /** What browsers see of the proxy is no origin. */
  | 'proxy-origin'
  /** Another program listens there. */
  | 'port-in-use'
  /** This computer has no such address, or may not listen there. */
  | 'listen-failed'
  /** The folder of releases cannot be read. */
  | 'releases-unreadable'
  /** PORT is not the number of one. */
  | 'port-unknown'
  /** There are options where none are taken. */
  | 'options-unknown';

export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code: StartErrorCode;
  readonly todo: string | undefined;

  constructor(code: StartErrorCode, message: string, { todo, cause }: { todo?: string; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.todo = todo;
  }
}
