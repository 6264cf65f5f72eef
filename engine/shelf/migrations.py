"""The database schema as numbered steps; `PRAGMA user_version` says how many of them a file has seen.

A step that was released is never edited: the next change is the next function in the list. Times are seconds
since 1970, positions count characters of the document's text, JSON columns hold JSON text.
"""

from engine.errors import Failure
from engine.shelf.sqlite import sqlite_utils


def create_documents(db: sqlite_utils.Database) -> None:
    """Create the tables of documents and of how far each reader has read in them."""
    db.execute(
        """
        CREATE TABLE documents (
            id TEXT PRIMARY KEY,
            content_hash TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            renamed INTEGER NOT NULL DEFAULT 0,
            author TEXT NOT NULL DEFAULT '',
            language TEXT NOT NULL DEFAULT '',
            format TEXT NOT NULL DEFAULT '',
            source_name TEXT NOT NULL,
            source_file TEXT NOT NULL,
            source_bytes INTEGER NOT NULL DEFAULT 0,
            characters INTEGER NOT NULL DEFAULT 0,
            tokens INTEGER NOT NULL DEFAULT 0,
            bank_bytes INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'waiting',
            created REAL NOT NULL,
            settings TEXT NOT NULL DEFAULT '{}'
        )
        """
    )
    db.execute(
        """
        CREATE TABLE readings (
            document TEXT NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
            owner TEXT NOT NULL DEFAULT '',
            position INTEGER NOT NULL DEFAULT 0,
            opened REAL,
            PRIMARY KEY (document, owner)
        )
        """
    )


def create_jobs(db: sqlite_utils.Database) -> None:
    """Create the table of jobs; at most one unfinished job of a kind per document."""
    db.execute(
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document TEXT NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            options TEXT NOT NULL DEFAULT '{}',
            state TEXT NOT NULL DEFAULT 'queued',
            wish TEXT NOT NULL DEFAULT '',
            stage TEXT NOT NULL DEFAULT '',
            done INTEGER NOT NULL DEFAULT 0,
            total INTEGER NOT NULL DEFAULT 0,
            rate REAL,
            message TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            started REAL,
            finished REAL,
            heartbeat REAL,
            attempts INTEGER NOT NULL DEFAULT 0,
            worker TEXT NOT NULL DEFAULT '',
            pid INTEGER,
            host TEXT NOT NULL DEFAULT ''
        )
        """
    )
    db.execute(
        "CREATE UNIQUE INDEX jobs_unfinished ON jobs (document, kind)"
        " WHERE state IN ('queued', 'running', 'paused')"
    )
    db.execute("CREATE INDEX jobs_state ON jobs (state, id)")


def create_talks(db: sqlite_utils.Database) -> None:
    """Create the tables of talks (document NULL: about the whole shelf) and of their messages."""
    db.execute(
        """
        CREATE TABLE talks (
            id TEXT PRIMARY KEY,
            document TEXT REFERENCES documents(id) ON DELETE CASCADE,
            owner TEXT NOT NULL DEFAULT '',
            title TEXT NOT NULL DEFAULT '',
            settings TEXT NOT NULL DEFAULT '{}',
            created REAL NOT NULL,
            changed REAL NOT NULL
        )
        """
    )
    db.execute("CREATE INDEX talks_document ON talks (document, owner)")
    db.execute(
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            talk TEXT NOT NULL REFERENCES talks(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            citations TEXT NOT NULL DEFAULT '[]',
            statistics TEXT NOT NULL DEFAULT '{}',
            settings TEXT NOT NULL DEFAULT '{}',
            created REAL NOT NULL,
            UNIQUE (talk, position)
        )
        """
    )


def create_demonstrations(db: sqlite_utils.Database) -> None:
    """Create the tables of demonstration libraries and their examples; jobs may now work on libraries too."""
    db.execute(
        """
        CREATE TABLE libraries (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            description TEXT NOT NULL DEFAULT '',
            template TEXT NOT NULL,
            words TEXT NOT NULL,
            source_name TEXT NOT NULL DEFAULT '',
            text_column TEXT NOT NULL DEFAULT '',
            label_column TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            changed REAL NOT NULL,
            settings TEXT NOT NULL DEFAULT '{}'
        )
        """
    )
    db.execute(
        """
        CREATE TABLE examples (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            library TEXT NOT NULL REFERENCES libraries(id) ON DELETE CASCADE,
            text TEXT NOT NULL,
            label TEXT NOT NULL,
            digest TEXT NOT NULL,
            part TEXT NOT NULL DEFAULT 'memory',
            UNIQUE (library, digest)
        )
        """
    )
    db.execute("CREATE INDEX examples_part ON examples (library, part, label)")
    # a column's reference cannot be dropped in place: the table is made again, and triggers do the cascade
    columns = ", ".join(column.name for column in db.table("jobs").columns)
    create = db.table("jobs").schema.replace("REFERENCES documents(id) ON DELETE CASCADE", "")
    db.execute(create.replace("jobs", "jobs_without_reference", 1))
    db.execute(f"INSERT INTO jobs_without_reference ({columns}) SELECT {columns} FROM jobs")
    db.execute("DROP TABLE jobs")
    db.execute("ALTER TABLE jobs_without_reference RENAME TO jobs")
    db.execute(
        "CREATE UNIQUE INDEX jobs_unfinished ON jobs (document, kind)"
        " WHERE state IN ('queued', 'running', 'paused')"
    )
    db.execute("CREATE INDEX jobs_state ON jobs (state, id)")
    for table in ("documents", "libraries"):
        db.execute(
            f"CREATE TRIGGER {table}_jobs AFTER DELETE ON {table}"
            " BEGIN DELETE FROM jobs WHERE document = OLD.id; END"
        )


def create_traces(db: sqlite_utils.Database) -> None:
    """Create the table of where each token of an answer was read, packed (`engine.answering.trace`)."""
    db.execute(
        """
        CREATE TABLE traces (
            message INTEGER PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
            trace BLOB NOT NULL
        )
        """
    )


def add_library_owners(db: sqlite_utils.Database) -> None:
    """Add the account that made a demonstration library; '' is none, and all that were made before."""
    db.execute("ALTER TABLE libraries ADD COLUMN owner TEXT NOT NULL DEFAULT ''")


def add_text_sums(db: sqlite_utils.Database) -> None:
    """Keep the SHA-256 of document.json as it was written; empty where that was before there were sums."""
    db.execute("ALTER TABLE documents ADD COLUMN text_sum TEXT NOT NULL DEFAULT ''")


def create_marks(db: sqlite_utils.Database) -> None:
    """Create the tables of readers' marks, and of tags of theirs for books.

    `book` is the id of the document that a mark was made in; `document` the same while that is on the shelf.
    """
    db.execute(
        """
        CREATE TABLE marks (
            id TEXT PRIMARY KEY,
            book TEXT NOT NULL,
            document TEXT REFERENCES documents(id) ON DELETE CASCADE,
            owner TEXT NOT NULL DEFAULT '',
            kind TEXT NOT NULL,
            colour TEXT NOT NULL DEFAULT '',
            start INTEGER NOT NULL,
            end INTEGER NOT NULL,
            quote TEXT NOT NULL,
            before TEXT NOT NULL DEFAULT '',
            after TEXT NOT NULL DEFAULT '',
            place TEXT NOT NULL DEFAULT '',
            share REAL NOT NULL DEFAULT 0,
            title TEXT NOT NULL DEFAULT '',
            author TEXT NOT NULL DEFAULT '',
            note TEXT NOT NULL DEFAULT '',
            lost INTEGER NOT NULL DEFAULT 0,
            created REAL NOT NULL,
            changed REAL NOT NULL
        )
        """
    )
    db.execute("CREATE INDEX marks_book ON marks (book, owner)")
    db.execute("CREATE INDEX marks_document ON marks (document)")
    db.execute("ALTER TABLE readings ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'")


def add_places(db: sqlite_utils.Database) -> None:
    """Remember the line that a reader looked at last, beside how far was read."""
    db.execute("ALTER TABLE readings ADD COLUMN place INTEGER")


MIGRATIONS = [
    create_documents,
    create_jobs,
    create_talks,
    create_demonstrations,
    create_traces,
    add_library_owners,
    add_text_sums,
    create_marks,
    add_places,
]


def version(db: sqlite_utils.Database) -> int:
    """Return how many migrations the file has seen."""
    return db.execute("PRAGMA user_version").fetchone()[0]


def is_current(db: sqlite_utils.Database) -> bool:
    """Tell whether there is nothing to migrate."""
    return version(db) == len(MIGRATIONS)


def check_version(db: sqlite_utils.Database) -> None:
    """Raise Failure when a newer program made this file: its tables may mean what we cannot know."""
    found = version(db)
    if found > len(MIGRATIONS):
        raise Failure(
            f"this shelf was made by a newer LongMem Reader (format {found}, this one knows"
            f" {len(MIGRATIONS)}): update the program, or set LONGMEM_HOME to another folder"
        )


def migrate(db: sqlite_utils.Database, upto: int | None = None) -> None:
    """Bring the file to the newest format, all steps in one transaction; `upto` stops earlier (tests)."""
    db.execute("BEGIN IMMEDIATE")
    try:
        check_version(db)
        first = version(db)
        last = len(MIGRATIONS) if upto is None else upto
        for step in MIGRATIONS[first:last]:
            step(db)
        # a pragma takes no parameters; the number is ours
        db.execute(f"PRAGMA user_version = {max(first, last)}")
        db.conn.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
