/** Which releases the station has and which images are in them, as rows; the files lie in the data folder. */
import { type ReleaseView } from '#api.ts';
import { type Database, present, type Row } from './database.ts';

/** An image of a release, to be found by what a board holds. */
export interface ReleaseImage {
  releaseId: string;
  /** Index in the release's builds. */
  build: number;
  role: 'app' | 'data';
  /** Name of the chip. */
  chip: string;
  /** Of the whole image, as it is written to the slot. */
  sha256: string;
  project?: string;
  version?: string;
}

export interface ReleaseRecord {
  view: ReleaseView;
  fileName: string;
  /** Bytes of the file. */
  size: number;
}

export class ReleaseStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The latest first. */
  all(): ReleaseRecord[] {
    return this.#database.all('SELECT * FROM releases ORDER BY added_at DESC, rowid DESC').map(asRecord);
  }

  get(id: string): ReleaseRecord | undefined {
    const row = this.#database.get('SELECT * FROM releases WHERE id = :id', { id });
    return row && asRecord(row);
  }

  add({ view, fileName, size }: ReleaseRecord, images: readonly ReleaseImage[]): void {
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO releases (id, file_name, size, added_at, view) VALUES (:id, :fileName, :size, :addedAt, :view)`,
        { id: view.id, fileName, size, addedAt: view.addedAt, view: JSON.stringify(view) },
      );
      for (const { releaseId, build, role, chip, sha256, project, version } of images) {
        this.#database.run(
          `INSERT INTO release_images (release_id, build, role, chip, sha256, project, version)
           VALUES (:releaseId, :build, :role, :chip, :sha256, :project, :version)`,
          { releaseId, build, role, chip, sha256, project: project ?? null, version: version ?? null },
        );
      }
    });
  }

  remove(id: string): void {
    this.#database.run('DELETE FROM releases WHERE id = :id', { id });
  }

  /** Images with this digest, those of the latest release first. */
  byDigest(sha256: string, role: 'app' | 'data'): ReleaseImage[] {
    return this.#images('i.sha256 = :sha256 AND i.role = :role', { sha256, role });
  }

  /** Apps that call themselves so, those of the latest release first. */
  byVersion(project: string, version: string): ReleaseImage[] {
    return this.#images(`i.project = :project AND i.version = :version AND i.role = 'app'`, { project, version });
  }

  #images(where: string, values: Row): ReleaseImage[] {
    return this.#database
      .all(
        `SELECT i.release_id AS releaseId, i.build, i.role, i.chip, i.sha256, i.project, i.version
         FROM release_images i JOIN releases r ON r.id = i.release_id WHERE ${where} ORDER BY r.added_at DESC, i.build`,
        values,
      )
      .map((row) => present(row) as unknown as ReleaseImage);
  }
}

const asRecord = ({ view, file_name: fileName, size }: Row): ReleaseRecord => ({
  view: JSON.parse(view as string) as ReleaseView,
  fileName: fileName as string,
  size: size as number,
});
