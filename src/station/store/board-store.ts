/** Boards and what their slots hold, as rows. */
import { type BoardView, type SlotView } from '#api.ts';
import { type RunningSlot } from '#formats/ota-slots.ts';
import { type Database, present, type Row } from './database.ts';

export interface BoardRecord {
  id: string;
  name?: string;
  address?: string;
  /** Lower case, with colons. */
  mac?: string;
  /** Name of the chip, as in `formats/chips.ts`. */
  chip?: string;
  from: BoardView['from'];
  /** From where the app ran when the holdings were written down. */
  running?: RunningSlot;
  /** What was written to the slots, as far as the station knows. */
  holdings: SlotView[];
}

export class BoardStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In the order in which they were added. */
  all(): BoardRecord[] {
    return this.#database.all('SELECT * FROM boards ORDER BY added_at, rowid').map((row) => this.#record(row));
  }

  get(id: string): BoardRecord | undefined {
    const row = this.#database.get('SELECT * FROM boards WHERE id = :id', { id });
    return row && this.#record(row);
  }

  byMac(mac: string): BoardRecord | undefined {
    const row = this.#database.get('SELECT * FROM boards WHERE mac = :mac', { mac });
    return row && this.#record(row);
  }

  byAddress(address: string): BoardRecord | undefined {
    const row = this.#database.get('SELECT * FROM boards WHERE address = :address', { address });
    return row && this.#record(row);
  }

  /** Adds or replaces a board with all that is known of it; `addedAt` counts for a new one. To be called in a transaction. */
  put({ id, name, address, mac, chip, from, running, holdings }: BoardRecord, addedAt: number): void {
    this.#database.run(
      `INSERT INTO boards (id, name, address, mac, chip, origin, running, added_at)
       VALUES (:id, :name, :address, :mac, :chip, :origin, :running, :addedAt)
       ON CONFLICT (id) DO UPDATE SET name = :name, address = :address, mac = :mac, chip = :chip, origin = :origin,
         running = :running`,
      {
        id,
        name: name ?? null,
        address: address ?? null,
        mac: mac ?? null,
        chip: chip ?? null,
        origin: from,
        running: running ?? null,
        addedAt,
      },
    );
    this.#database.run('DELETE FROM holdings WHERE board_id = :id', { id });
    for (const holding of holdings) this.#putHolding(id, holding);
  }

  #putHolding(board: string, { slot, role, size, project, version, sha256 }: SlotView): void {
    this.#database.run(
      `INSERT INTO holdings (board_id, slot, role, size, project, version, sha256)
       VALUES (:board, :slot, :role, :size, :project, :version, :sha256)`,
      {
        board,
        slot,
        role,
        size: size ?? null,
        project: project ?? null,
        version: version ?? null,
        sha256: sha256 ?? null,
      },
    );
  }

  remove(id: string): void {
    this.#database.run('DELETE FROM boards WHERE id = :id', { id });
  }

  #record({ id, name, address, mac, chip, origin, running }: Row): BoardRecord {
    const holdings = this.#database
      .all('SELECT slot, role, size, project, version, sha256 FROM holdings WHERE board_id = :id ORDER BY slot', {
        id: id as string,
      })
      .map((row) => present(row) as unknown as SlotView);
    const known = present({ name, address, mac, chip, running }) as Partial<BoardRecord>;
    return { id: id as string, ...known, from: origin as BoardRecord['from'], holdings };
  }
}
