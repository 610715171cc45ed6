/** How the database came to its shape: each step is applied once, in its own transaction; what was released is never changed. */

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE releases (
    id TEXT PRIMARY KEY,
    file_name TEXT NOT NULL,
    size INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    view TEXT NOT NULL
  ) STRICT;

  CREATE TABLE release_images (
    release_id TEXT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    build INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('app', 'data')),
    chip TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    project TEXT,
    version TEXT,
    PRIMARY KEY (release_id, build, role)
  ) STRICT;
  CREATE INDEX release_images_by_digest ON release_images (sha256);
  CREATE INDEX release_images_by_version ON release_images (project, version);

  CREATE TABLE boards (
    id TEXT PRIMARY KEY,
    name TEXT,
    address TEXT,
    mac TEXT UNIQUE,
    chip TEXT,
    origin TEXT NOT NULL CHECK (origin IN ('provisioned', 'found', 'added')),
    running TEXT,
    added_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE holdings (
    board_id TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    slot TEXT NOT NULL CHECK (slot IN ('PA', 'PB')),
    role TEXT NOT NULL CHECK (role IN ('app', 'data', 'unknown')),
    size INTEGER,
    project TEXT,
    version TEXT,
    sha256 TEXT,
    PRIMARY KEY (board_id, slot)
  ) STRICT;

  CREATE TABLE campaigns (
    id TEXT PRIMARY KEY,
    rules TEXT NOT NULL,
    policy TEXT NOT NULL,
    started_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE updates (
    id TEXT PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaigns (id),
    place INTEGER NOT NULL,
    board_id TEXT REFERENCES boards (id) ON DELETE SET NULL,
    board TEXT NOT NULL,
    release_id TEXT NOT NULL,
    release TEXT NOT NULL,
    carried TEXT NOT NULL,
    queued TEXT CHECK (queued IN ('waiting', 'held')),
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at INTEGER
  ) STRICT;
  CREATE INDEX updates_open ON updates (campaign) WHERE ended_at IS NULL;
  CREATE INDEX updates_by_start ON updates (started_at);

  CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    update_id TEXT NOT NULL REFERENCES updates (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    position TEXT NOT NULL,
    detail TEXT
  ) STRICT;
  CREATE INDEX journal_of_update ON journal (update_id, id);
  `,
];
