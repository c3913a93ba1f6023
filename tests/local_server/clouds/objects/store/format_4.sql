-- A store's database as cloudserve wrote it before it kept versions of objects.
CREATE TABLE buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, region TEXT NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, metageneration INTEGER NOT NULL, settings BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, address BLOB NOT NULL,
    md5 BLOB NOT NULL, crc32c BLOB NOT NULL, crc32 BLOB NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, about BLOB NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX objects_by_content ON objects (address);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, about BLOB NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
    md5 BLOB NOT NULL, crc32c BLOB NOT NULL, crc32 BLOB NOT NULL, checksum TEXT NOT NULL,
    created REAL NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX parts_by_content ON parts (sha256);
CREATE TABLE pieces (
    address BLOB NOT NULL, position INTEGER NOT NULL, piece BLOB NOT NULL,
    PRIMARY KEY (address, position)
) WITHOUT ROWID;
CREATE INDEX pieces_by_content ON pieces (piece);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, about BLOB NOT NULL,
    precondition BLOB NOT NULL, expected BLOB NOT NULL, total INTEGER,
    received INTEGER NOT NULL, generation INTEGER NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE garbage (address BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (generation INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
INSERT INTO buckets VALUES ('models', 'p', 'EU', 1, 1, 1, '{"labels":{"a":"b"}}');
INSERT INTO objects VALUES (
    'models', 'half', 3, X'01', X'02', X'03', X'04', 7, 1, '{"metadata":{"a":"b"}}', 1, 1
);
UPDATE counter SET generation = 7;
PRAGMA user_version = 4;
