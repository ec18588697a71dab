"""The embedded stores: one SQLite file in WAL mode (https://sqlite.org/wal.html)."""
