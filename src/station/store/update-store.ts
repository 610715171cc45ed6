/** Updates, their campaigns and their journals, as rows. */
import { type JournalLine, type SlotView } from '#api.ts';
import { type SlotName } from '#formats/ota-slots.ts';
import { type CampaignRules } from '#workflows/update-campaign.ts';
import { type FailurePolicy } from '#workflows/failure-policy.ts';
import { type Transfer, type UpdateState } from '#workflows/update-state.ts';
import { type Database, type Row } from './database.ts';

/** A file that a board may be told to download. */
export interface CarriedFile {
  name: string;
  sha256: string;
  /** Bytes. */
  size: number;
}

/** What a run needs besides its state, decided when it was planned. */
export interface Carried {
  files: Partial<Record<Transfer, CarriedFile>>;
  /** What the slots held before. */
  before: SlotView[];
  /** What they hold with the new app and with the new data; slot and size are those of the slot. */
  app?: Omit<SlotView, 'slot' | 'size'>;
  data?: Omit<SlotView, 'slot' | 'size'>;
  /** Bytes of each slot, where known. */
  slotSizes?: Partial<Record<SlotName, number>>;
  /** Most bytes of all headers of a request to the firmware that is there, and to that of the release. */
  headerLimits: { old?: number; new?: number };
  /** What the app calls itself that the board is looked for by. */
  project?: string;
}

export interface UpdateRecord {
  id: string;
  campaign: string;
  /** In the order of the campaign. */
  place: number;
  board: { id: string; name: string; mac?: string };
  release: { id: string; name: string; version?: string };
  carried: Carried;
  queued?: 'waiting' | 'held';
  state: UpdateState;
  startedAt: number;
  changedAt: number;
  endedAt?: number;
}

export interface CampaignRecord {
  id: string;
  rules: CampaignRules;
  policy: FailurePolicy;
  startedAt: number;
}

/** What can change. */
export type UpdateChange = Pick<UpdateRecord, 'id' | 'state' | 'changedAt'> &
  Partial<Pick<UpdateRecord, 'queued' | 'endedAt'>>;

export class UpdateStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** To be called in a transaction. */
  addCampaign({ id, rules, policy, startedAt }: CampaignRecord, updates: readonly UpdateRecord[]): void {
    this.#database.run(
      'INSERT INTO campaigns (id, rules, policy, started_at) VALUES (:id, :rules, :policy, :startedAt)',
      { id, rules: JSON.stringify(rules), policy: JSON.stringify(policy), startedAt },
    );
    for (const update of updates) this.#add(update);
  }

  #add({ id, campaign, place, board, release, carried, queued, state, startedAt, changedAt }: UpdateRecord): void {
    this.#database.run(
      `INSERT INTO updates (id, campaign, place, board_id, board, release_id, release, carried, queued, state, started_at,
         changed_at)
       VALUES (:id, :campaign, :place, :boardId, :board, :releaseId, :release, :carried, :queued, :state, :startedAt,
         :changedAt)`,
      {
        id,
        campaign,
        place,
        boardId: board.id,
        board: JSON.stringify(board),
        releaseId: release.id,
        release: JSON.stringify(release),
        carried: JSON.stringify(carried),
        queued: queued ?? null,
        state: JSON.stringify(state),
        startedAt,
        changedAt,
      },
    );
  }

  campaign(id: string): CampaignRecord | undefined {
    const row = this.#database.get('SELECT * FROM campaigns WHERE id = :id', { id });
    return (
      row && {
        id,
        rules: JSON.parse(row['rules'] as string) as CampaignRules,
        policy: JSON.parse(row['policy'] as string) as FailurePolicy,
        startedAt: row['started_at'] as number,
      }
    );
  }

  ofCampaign(campaign: string): UpdateRecord[] {
    return this.#records('WHERE campaign = :campaign ORDER BY place', { campaign });
  }

  get(id: string): UpdateRecord | undefined {
    return this.#records('WHERE id = :id', { id })[0];
  }

  /** Those that are not over, in the order of their start. */
  open(): UpdateRecord[] {
    return this.#records('WHERE ended_at IS NULL ORDER BY started_at, campaign, place');
  }

  /** When a run last ended that left this board, or one at its address, in the midst of a transfer. */
  lastLeft({ board, state: { address } }: UpdateRecord): number | undefined {
    const row = this.#database.get(
      `SELECT max(ended_at) AS at FROM updates
       WHERE (board_id = :id OR state ->> '$.address' = :address) AND state ->> '$.position.outcome' = 'left'`,
      { id: board.id, address },
    );
    return typeof row?.['at'] === 'number' ? row['at'] : undefined;
  }

  /** All that are not over, and of the others the latest; the latest first. */
  recent(limit: number): UpdateRecord[] {
    return this.#records(
      `WHERE ended_at IS NULL OR id IN (SELECT id FROM updates ORDER BY started_at DESC LIMIT :limit)
       ORDER BY started_at DESC, campaign, place`,
      { limit },
    );
  }

  change({ id, state, changedAt, queued, endedAt }: UpdateChange): void {
    this.#database.run(
      `UPDATE updates SET state = :state, changed_at = :changedAt, queued = :queued, ended_at = :endedAt WHERE id = :id`,
      { id, state: JSON.stringify(state), changedAt, queued: queued ?? null, endedAt: endedAt ?? null },
    );
  }

  note(update: string, { at, event, position, detail }: JournalLine): void {
    this.#database.run(
      `INSERT INTO journal (update_id, at, event, position, detail) VALUES (:update, :at, :event, :position, :detail)`,
      { update, at, event, position, detail: detail ?? null },
    );
  }

  journal(update: string): JournalLine[] {
    return this.#database
      .all('SELECT at, event, position, detail FROM journal WHERE update_id = :update ORDER BY id', { update })
      .map(({ at, event, position, detail }) => ({
        at: at as number,
        event: event as string,
        position: position as string,
        ...(detail !== null && { detail: detail as string }),
      }));
  }

  #records(where: string, values: Row = {}): UpdateRecord[] {
    return this.#database.all(`SELECT * FROM updates ${where}`, values).map(asRecord);
  }
}

function asRecord(row: Row): UpdateRecord {
  const parsed = <T>(name: string): T => JSON.parse(row[name] as string) as T;
  return {
    id: row['id'] as string,
    campaign: row['campaign'] as string,
    place: row['place'] as number,
    board: parsed('board'),
    release: parsed('release'),
    carried: parsed('carried'),
    ...(row['queued'] !== null && { queued: row['queued'] as 'waiting' | 'held' }),
    state: parsed('state'),
    startedAt: row['started_at'] as number,
    changedAt: row['changed_at'] as number,
    ...(row['ended_at'] !== null && { endedAt: row['ended_at'] as number }),
  };
}
