/** What the station refuses, with the code that page and command line know. */
import { type StationErrorCode } from '#api.ts';

const STATUS: Readonly<Record<StationErrorCode, number>> = {
  'session-needed': 401,
  'wrong-origin': 403,
  'pairing-wrong': 403,
  'pairing-locked': 429,
  'bad-request': 400,
  'not-found': 404,
  'too-large': 413,
  'station-busy': 503,
  'upload-stalled': 408,
  'release-refused': 422,
  'address-refused': 422,
  'plan-refused': 409,
  'in-use': 409,
  'choice-not-offered': 409,
  'listener-failed': 503,
  'station-failed': 500,
};

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: StationErrorCode;
  readonly detail: string | undefined;

  constructor(code: StationErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(detail === undefined ? code : `${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  /** HTTP status that goes with the code. */
  get status(): number {
    return STATUS[this.code];
  }
}
