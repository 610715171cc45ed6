/**
 * What page, command line and station say to each other: requests with their schemas, answers as types. Every path is below `/api`, every
 * body is JSON but an uploaded file.
 *
 * Everything but `GET /api/station` and `GET /api/policy` needs a session: on the station's own computer `POST /api/session` gives its cookie,
 * elsewhere and behind a proxy `POST /api/pairing` with the code that the station printed. What changes something carries the `Origin` of the
 * station's own page. Answers other than 2xx carry a `StationError`; those without content are 204.
 */
import * as v from 'valibot';
import { SLOT_NAMES, type RunningSlot, type SlotName } from '#formats/ota-slots.ts';
import {
  type Candidate,
  CHOICES,
  type Choice,
  FAILURES,
  TRANSFERS,
  type UpdateState,
} from '#workflows/update-state.ts';
import { type UpdateNotice } from '#workflows/update-notices.ts';

/** What a station refuses or cannot do, as a stable code; the words are made in `messages`. */
export const STATION_ERRORS = [
  /** No session: ask for one, or pair. */
  'session-needed',
  /** The request comes from another site, or names another host. */
  'wrong-origin',
  /** The pairing code is wrong. */
  'pairing-wrong',
  /** Too many wrong codes: wait. */
  'pairing-locked',
  /** The request is not as the schema wants it; `place` says where. */
  'bad-request',
  /** There is no such thing. */
  'not-found',
  /** The body is larger than is taken. */
  'too-large',
  /** It takes as many files as it can hold: try again a little later. */
  'station-busy',
  /** Nothing more of the body came for a long time. */
  'upload-stalled',
  /** The file is no release, or a damaged one; `detail` is the reader's reason. */
  'release-refused',
  /** Address that is neither private nor loopback, or no address at all. */
  'address-refused',
  /** The plan has objections, or something was not agreed to. */
  'plan-refused',
  /** The release is part of a run that is not over. */
  'in-use',
  /** The choice is not offered in this state. */
  'choice-not-offered',
  /** The listener for boards could not be opened. */
  'listener-failed',
  /** Something that should not happen. */
  'station-failed',
] as const;
export type StationErrorCode = (typeof STATION_ERRORS)[number];

export interface StationError {
  error: StationErrorCode;
  /** For the log and the curious; never a secret. */
  detail?: string;
}

const text = (most: number): v.GenericSchema<string> => v.pipe(v.string(), v.minLength(1), v.maxLength(most));
const id = text(40);
const count = (least: number, most: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

/** `HOST` or `HOST:PORT`, a numeric IPv4 or bracketed IPv6 address; the station checks that it is private. */
const BoardAddress = v.pipe(v.string(), v.regex(/^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/));
const Mac = v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/));

// --- The station itself -------------------------------------------------------------------------------------------------------------

/** `GET /api/station`, without a session. */
export interface StationInfo {
  version: string;
  /** Whether this client may change things; `pair`: ask the user for the code; `ask`: `POST /api/session` will do. */
  session: 'open' | 'ask' | 'pair';
  /** Web Serial works only on a secure origin. */
  secureOrigin: boolean;
  boardsListener: BoardsListener;
}

export interface BoardsListener {
  /** `closed`: opened when the user agrees. */
  state: 'closed' | 'open' | 'failed';
  /** Where it listens, or would. */
  address: string;
  port: number;
  /** Own addresses by which boards can reach it, with the network of each. */
  networks: { address: string; network: string; interface: string }[];
  detail?: string;
}

/** `POST /api/session` has no body. `POST /api/pairing`. */
export const PairingRequest = v.strictObject({ code: text(32) });

// `GET /api/policy`, without a session: a policy file that makes Chromium browsers treat the origin by which it was asked for as a secure one

/** `POST /api/boards-listener` → StationInfo: the user agrees that it is opened. */
export const OpenListenerRequest = v.strictObject({ open: v.boolean() });

// --- Boards -------------------------------------------------------------------------------------------------------------------------

/** A slot of a board, as far as it is known. */
export interface SlotView {
  slot: SlotName;
  role: 'app' | 'data' | 'unknown';
  /** Bytes. */
  size?: number;
  /** Project and version of an app; release and tag of data. */
  project?: string;
  version?: string;
  /** What the page shows of the data, as text; what is not printable stands as dots. */
  shown?: string;
  /** Digest of the image that was written, where the station knows it. */
  sha256?: string;
}

export interface BoardView {
  id: string;
  /** Named by the user, or after its MAC or address. */
  name: string;
  address?: string;
  mac?: string;
  chip?: string;
  /** Where the station knows it from. */
  from: 'provisioned' | 'found' | 'added';
  /** `unknown`: nobody looked yet. `other`: something else answers there. */
  reach: 'online' | 'silent' | 'other' | 'unknown';
  /** Milliseconds since 1970 of the last look. */
  seenAt?: number;
  running?: RunningSlot;
  slots: SlotView[];
  /** The run of this board that is not over. */
  updateId?: string;
}

/** `POST /api/boards`: answers with a `BoardView`, looked at. */
export const AddBoardRequest = v.strictObject({ address: BoardAddress, name: v.optional(text(60)) });
/** `PATCH /api/boards/:id`. */
export const ChangeBoardRequest = v.strictObject({
  name: v.optional(text(60)),
  address: v.optional(BoardAddress),
  chip: v.optional(text(20)),
});
// `GET /api/boards` → BoardView[] · `DELETE /api/boards/:id` · `POST /api/boards/:id/look` → BoardView

/** `POST /api/boards/search` → `FoundBoard[]`; takes up to half a minute. `scan` asks every address of the own networks of up to 1024. */
export const SearchRequest = v.strictObject({ how: v.picklist(['mdns', 'scan']) });
export interface FoundBoard extends Candidate {
  /** The board of the list that it is already. */
  id?: string;
}

/** `POST /api/boards/provisioned` → BoardView: what was written to a board over its serial port. */
export const ProvisionedRequest = v.strictObject({
  mac: Mac,
  chip: text(20),
  name: v.optional(text(60)),
  address: v.optional(BoardAddress),
  running: v.picklist([...SLOT_NAMES, 'factory']),
  slots: v.pipe(
    v.array(
      v.strictObject({
        slot: v.picklist(SLOT_NAMES),
        size: count(0x1000, 0x1000_0000),
        role: v.picklist(['app', 'data', 'unknown']),
        project: v.optional(v.pipe(v.string(), v.maxLength(32))),
        version: v.optional(v.pipe(v.string(), v.maxLength(32))),
        sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
      }),
    ),
    v.maxLength(2),
  ),
});
export type ProvisionedBoard = v.InferOutput<typeof ProvisionedRequest>;

// --- Releases -----------------------------------------------------------------------------------------------------------------------

export interface ReleaseView {
  id: string;
  name: string;
  version?: string;
  /** Milliseconds since 1970. */
  addedAt: number;
  builds: {
    chip: string;
    app: { name: string; size: number; project?: string; version?: string };
    data?: { name: string; size: number; tag?: string };
  }[];
  notes: string[];
}
// `POST /api/releases?name=FILE`: the file as the body (`application/octet-stream`), a release file, a .zip, a merged or app image → ReleaseView
// `GET /api/releases` → ReleaseView[] · `DELETE /api/releases/:id`

// Two files are taken at a time; others wait a little, and then are answered 503 `station-busy` with `Retry-After`

/** Largest file that is taken, in bytes. */
export const MAX_UPLOAD = 64 * 1024 * 1024;

// --- Updates ------------------------------------------------------------------------------------------------------------------------

/** What becomes of a failure without asking; `retry` needs `retries`. */
export const ON_FAILURE = ['ask', 'retry', 'restore', 'stop'] as const;
export type OnFailure = (typeof ON_FAILURE)[number];

/** `POST /api/updates/plan` → `PlanView[]`, one a board; touches nothing but the boards' page `/`. */
export const PlanRequest = v.strictObject({
  release: id,
  boards: v.pipe(v.array(id), v.minLength(1), v.maxLength(1000)),
  only: v.optional(v.picklist(['app', 'data'])),
});
export type PlanRequest = v.InferOutput<typeof PlanRequest>;

export interface PlanView {
  board: BoardView;
  release: { id: string; name: string; version?: string };
  steps: ('app' | 'data')[];
  /** What each slot holds now, between the steps, and afterwards. */
  before: SlotView[];
  between: SlotView[];
  after: SlotView[];
  /** Bytes to download. */
  bytes: number;
  /** What would be put back if step 1 fails. */
  wayBack?: { name: string; size: number };
  objections: UpdateNotice[];
  warnings: UpdateNotice[];
  consents: UpdateNotice[];
}

/** `POST /api/updates` → `UpdateView[]`. Several boards: `atOnce` at a time, the first `testGroup` of them alone, an end after `stopAfter` failures. */
export const StartRequest = v.strictObject({
  ...PlanRequest.entries,
  /** Codes of what was agreed to, for all boards. */
  consents: v.optional(v.array(text(40)), []),
  onFailure: v.optional(v.picklist(ON_FAILURE), 'ask'),
  retries: v.optional(count(1, 20), 3),
  atOnce: v.optional(count(1, 50), 4),
  testGroup: v.optional(count(0, 50), 1),
  stopAfter: v.optional(count(1, 1000), 3),
});
export type StartRequest = v.InferInput<typeof StartRequest>;

export interface UpdateView {
  id: string;
  /** Runs that were started together. */
  campaign: string;
  /** Its turn among them, from 0. */
  place: number;
  board: { id: string; name: string; mac?: string };
  release: { id: string; name: string; version?: string };
  state: UpdateState;
  /** What can be decided now. */
  choices: readonly Choice[];
  /** Waits for its turn in the campaign. `held`: the campaign ended before its turn. */
  queued?: 'waiting' | 'held';
  slots: SlotView[];
  /** What they held when the run was planned, where that was known. */
  before?: SlotView[];
  /** Milliseconds since 1970. */
  startedAt: number;
  /** When the position was entered, and when the last byte was fetched. */
  changedAt: number;
  endedAt?: number;
  /** Bytes a second of the last ten seconds, while something is downloaded. */
  rate?: number;
}

/** `POST /api/updates/:id/decision` → UpdateView. */
export const DecisionRequest = v.union([
  v.strictObject({
    choice: v.picklist(CHOICES),
    /** The failure that it answers: what was shown when it was made. By now it may be another one. */
    after: v.strictObject({
      transfer: v.picklist(TRANSFERS),
      attempt: count(1, 1_000_000),
      failure: v.picklist(FAILURES),
    }),
  }),
  /** Which of the candidates it is. */
  v.strictObject({ picked: BoardAddress }),
]);
export type DecisionRequest = v.InferOutput<typeof DecisionRequest>;
// `GET /api/updates` → UpdateView[], the latest first · `GET /api/updates/:id` → UpdateView
// `POST /api/updates/:id/stop` → UpdateView · `GET /api/updates/:id/journal` → JournalLine[]

export interface JournalLine {
  at: number;
  event: string;
  position: string;
  detail?: string;
}

/** `GET /api/events`: server-sent events, each a `StationEvent` as JSON; a full list comes first, then what changes. */
export type StationEvent =
  | { kind: 'all'; boards: BoardView[]; releases: ReleaseView[]; updates: UpdateView[]; station: StationInfo }
  | { kind: 'board'; board: BoardView }
  | { kind: 'board-gone'; id: string }
  | { kind: 'release'; release: ReleaseView }
  | { kind: 'release-gone'; id: string }
  | { kind: 'update'; update: UpdateView }
  | { kind: 'station'; station: StationInfo };
