"""The tables, and how an older file becomes a current one.

A file says its version in `PRAGMA user_version`. Migrations only add, drop indexes, and move what
was counted: the program before opens the file of the program after, and ignores what it does not
know. Documents carry a version of their own and keep members that the reading program does not
know.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator

MIGRATIONS = (
    """
    CREATE TABLE conversation (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        updated REAL NOT NULL,
        next_position INTEGER NOT NULL DEFAULT 1,
        etag TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID;
    CREATE INDEX conversation_by_time ON conversation (owner, updated DESC, id DESC);
    CREATE TABLE message (
        owner TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        etag TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (owner, conversation_id, position),
        UNIQUE (owner, conversation_id, id),
        FOREIGN KEY (owner, conversation_id) REFERENCES conversation (owner, id) ON DELETE CASCADE
    ) WITHOUT ROWID;
    CREATE TABLE usage_window (
        owner TEXT NOT NULL,
        deployment TEXT NOT NULL,
        starts TEXT NOT NULL,
        requests INTEGER NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (owner, deployment, starts)
    ) WITHOUT ROWID;
    CREATE INDEX usage_window_by_time ON usage_window (starts);
    CREATE TABLE reservation (
        id TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        deployment TEXT NOT NULL,
        minute TEXT NOT NULL,
        day TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        expires REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX reservation_by_owner ON reservation (owner, deployment);
    CREATE TABLE audit (
        sequence INTEGER NOT NULL PRIMARY KEY,
        document TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    );
    CREATE TABLE audit_chain (id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE pending_sign_in (
        state_hash TEXT NOT NULL PRIMARY KEY,
        expires REAL NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE session (
        id_hash TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        last_seen REAL NOT NULL,
        expires REAL NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX session_by_owner ON session (owner);
    """,
    # No statement of this program changes a record; the triggers refuse one written by mistake.
    """
    CREATE TRIGGER audit_keeps_records BEFORE UPDATE ON audit
    BEGIN
        SELECT RAISE(ABORT, 'the audit is append-only');
    END;
    CREATE TRIGGER audit_loses_no_record BEFORE DELETE ON audit
    BEGIN
        SELECT RAISE(ABORT, 'the audit is append-only');
    END;
    """,
    """
    CREATE TABLE audit_seal (number INTEGER NOT NULL PRIMARY KEY, digest TEXT NOT NULL);
    """,
    # A hold of everything that an owner has names no conversation: ''.
    """
    CREATE INDEX conversation_by_age ON conversation (updated, id);
    CREATE TABLE hold (
        owner TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (owner, conversation_id)
    ) WITHOUT ROWID;
    CREATE TABLE request (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        open INTEGER NOT NULL,
        asked REAL NOT NULL,
        changed REAL NOT NULL,
        expires REAL,
        etag TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX request_open ON request (owner, kind) WHERE open = 1;
    CREATE TABLE usage_day (
        owner TEXT NOT NULL,
        deployment TEXT NOT NULL,
        day TEXT NOT NULL,
        requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        PRIMARY KEY (day, owner, deployment)
    ) WITHOUT ROWID;
    CREATE INDEX usage_day_by_owner ON usage_day (owner);
    INSERT INTO usage_day SELECT owner, deployment, starts, requests, 0, tokens
        FROM usage_window WHERE length(starts) = 10;
    """,
    """
    CREATE TABLE note (name TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    """,
    # What a message follows: '' for none. The trigger lines up what the program before appends.
    """
    ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE conversation ADD COLUMN discarded TEXT;
    CREATE INDEX conversation_by_pin
        ON conversation (owner, discarded IS NULL, pinned DESC, updated DESC, id DESC);
    CREATE INDEX conversation_discarded ON conversation (discarded) WHERE discarded IS NOT NULL;
    CREATE TABLE signature (
        owner TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        place INTEGER NOT NULL,
        bits BLOB NOT NULL,
        PRIMARY KEY (owner, conversation_id),
        FOREIGN KEY (owner, conversation_id) REFERENCES conversation (owner, id) ON DELETE CASCADE
    );
    ALTER TABLE message ADD COLUMN parent TEXT;
    UPDATE message SET parent = coalesce((
        SELECT before.id FROM message AS before
        WHERE before.owner = message.owner AND before.conversation_id = message.conversation_id
        AND before.position < message.position ORDER BY before.position DESC LIMIT 1), '');
    CREATE INDEX message_by_parent ON message (owner, conversation_id, parent, position);
    CREATE TRIGGER message_in_line AFTER INSERT ON message WHEN NEW.parent IS NULL
    BEGIN
        UPDATE message SET parent = coalesce((
            SELECT before.id FROM message AS before
            WHERE before.owner = NEW.owner AND before.conversation_id = NEW.conversation_id
            AND before.position < NEW.position ORDER BY before.position DESC LIMIT 1), '')
        WHERE owner = NEW.owner AND conversation_id = NEW.conversation_id
        AND position = NEW.position;
    END;
    """,
    # What goes with a conversation goes when it does, whichever program deletes it. An attachment
    # stands for bytes that no transaction reaches: it is due at once instead. The columns say so;
    # a trigger may not write into a document (SQLite, "trusted_schema").
    """
    CREATE TABLE personal (
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        conversation_id TEXT,
        changed REAL NOT NULL,
        expires REAL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (owner, kind, id)
    ) WITHOUT ROWID;
    CREATE INDEX personal_by_time ON personal (kind, changed, owner, id);
    CREATE INDEX personal_due ON personal (kind, expires) WHERE expires IS NOT NULL;
    CREATE INDEX personal_of_conversation ON personal (owner, conversation_id)
        WHERE conversation_id IS NOT NULL;
    CREATE TRIGGER personal_goes_with_conversation AFTER DELETE ON conversation
    BEGIN
        DELETE FROM personal
            WHERE owner = OLD.owner AND conversation_id = OLD.id AND kind <> 'attachment';
        UPDATE personal SET conversation_id = NULL, expires = 0
            WHERE owner = OLD.owner AND conversation_id = OLD.id;
    END;
    """,
    # What records are searched by. Not columns that SQLite makes itself: where the schema is not
    # trusted, 3.40 lets it call no function of JSON.
    """
    CREATE TABLE audit_found_by (
        sequence INTEGER NOT NULL PRIMARY KEY,
        at TEXT NOT NULL,
        principal TEXT,
        subject TEXT,
        action TEXT
    );
    CREATE INDEX audit_by_time ON audit_found_by (at);
    CREATE INDEX audit_by_principal ON audit_found_by (principal, at);
    CREATE INDEX audit_by_subject ON audit_found_by (subject, at);
    CREATE INDEX audit_by_action ON audit_found_by (action, at);
    CREATE TABLE sighting (
        owner TEXT NOT NULL PRIMARY KEY,
        last TEXT NOT NULL,
        searched TEXT NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sighting_by_time ON sighting (last DESC, owner DESC);
    CREATE TABLE tally (
        day TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        deployment TEXT NOT NULL,
        requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        PRIMARY KEY (day, kind, name, deployment)
    ) WITHOUT ROWID;
    CREATE TABLE tallied (chain TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
    """,
    # What the tables of usage do not say yet. An index by time held every day's row a second time,
    # and one by owner a third time: days are found by time in `usage_day`, and by owner in
    # `usage_window`. A program before finds them without, by looking at all.
    """
    CREATE TABLE usage_journal (number INTEGER NOT NULL PRIMARY KEY, document TEXT NOT NULL);
    DROP INDEX usage_window_by_time;
    DROP INDEX usage_day_by_owner;
    CREATE INDEX usage_window_minutes ON usage_window (starts) WHERE length(starts) > 10;
    """,
    # One row for what were three in two tables and an index, each with a page of its own. Days
    # are next to each other, so that a day's pages stay among those in use. Of minutes only two
    # count, each in the columns of its parity: '' for none. What a program before counts goes on
    # into it, by the triggers.
    """
    CREATE TABLE usage_total (
        day TEXT NOT NULL,
        owner TEXT NOT NULL,
        deployment TEXT NOT NULL,
        requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        even TEXT NOT NULL DEFAULT '',
        even_requests INTEGER NOT NULL DEFAULT 0,
        even_tokens INTEGER NOT NULL DEFAULT 0,
        odd TEXT NOT NULL DEFAULT '',
        odd_requests INTEGER NOT NULL DEFAULT 0,
        odd_tokens INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (day, owner, deployment)
    ) WITHOUT ROWID;
    INSERT INTO usage_total (day, owner, deployment, requests, prompt_tokens, completion_tokens)
        SELECT day, owner, deployment, requests, prompt_tokens, completion_tokens FROM usage_day;
    INSERT INTO usage_total (day, owner, deployment, requests, prompt_tokens, completion_tokens)
        SELECT starts, owner, deployment, requests, 0, tokens
        FROM usage_window WHERE length(starts) = 10
        ON CONFLICT DO UPDATE SET requests = max(requests, excluded.requests),
            completion_tokens =
                max(completion_tokens, excluded.completion_tokens - prompt_tokens);
    DELETE FROM usage_window;
    DELETE FROM usage_day;
    CREATE TRIGGER usage_day_begun AFTER INSERT ON usage_day
    BEGIN
        INSERT INTO usage_total (day, owner, deployment, requests, prompt_tokens, completion_tokens)
            VALUES (NEW.day, NEW.owner, NEW.deployment,
                NEW.requests, NEW.prompt_tokens, NEW.completion_tokens)
            ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
                prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                completion_tokens = completion_tokens + excluded.completion_tokens;
    END;
    CREATE TRIGGER usage_day_counted AFTER UPDATE ON usage_day
    BEGIN
        UPDATE usage_total SET requests = requests + NEW.requests - OLD.requests,
            prompt_tokens = prompt_tokens + NEW.prompt_tokens - OLD.prompt_tokens,
            completion_tokens = completion_tokens + NEW.completion_tokens - OLD.completion_tokens
            WHERE day = NEW.day AND owner = NEW.owner AND deployment = NEW.deployment;
    END;
    """,
)

APPLICATION_ID = 0x5EC0A1
"""Marks a file as ours in its header (SQLite, "PRAGMA application_id")."""


class ForeignFile(sqlite3.DatabaseError):
    """The file is a database of another program."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to date; two processes that try at once do it once.

    Raises:
        ForeignFile: The file is a database of another program.
        sqlite3.Error: The file cannot be written or is no database.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _check_ours(connection, version)
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        if connection.execute("SELECT count(*) FROM audit_chain").fetchone() == (0,):
            connection.execute("INSERT INTO audit_chain VALUES (?)", (secrets.token_hex(16),))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _check_ours(connection: sqlite3.Connection, version: int) -> None:
    """Refuse another program's database rather than add our tables to it."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark == APPLICATION_ID:
        return
    if version or mark or tables:
        raise ForeignFile
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _statements(script: str) -> Iterator[str]:
    """Yield a script's statements; a semicolon inside a trigger ends none."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
