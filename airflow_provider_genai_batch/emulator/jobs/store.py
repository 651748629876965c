"""Records on disk, in SQLite, so that a kill -9 between two requests loses nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject


class Store:
    """A table of JSON records. Without a path it keeps nothing, if state need not survive."""

    def __init__(self, path: Path | None) -> None:
        """Open the table.

        Args:
            path: The database file, or ``None``.
        """
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        if path is not None:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            # The page cache survives the process; only a crash of the machine could lose data.
            self._db.execute("pragma synchronous=off")
            self._db.execute(
                "create table if not exists record (kind text, id text, body text, primary key (kind, id))"
            )

    def put(self, kind: str, rows: Iterable[tuple[str, JsonObject]]) -> None:
        """Write records in one transaction."""
        if self._db is None:
            return
        values = [(kind, key, json.dumps(body)) for key, body in rows]
        with self._lock:
            self._db.execute("begin")
            self._db.executemany("insert or replace into record values (?, ?, ?)", values)
            self._db.execute("commit")

    def drop(self, kind: str, key: str) -> None:
        """Remove one record."""
        if self._db is not None:
            with self._lock:
                self._db.execute("delete from record where kind = ? and id = ?", (kind, key))

    def read(self, kind: str) -> Iterator[tuple[str, JsonObject]]:
        """Return all records of a kind."""
        if self._db is None:
            return
        with self._lock:
            rows = self._db.execute("select id, body from record where kind = ?", (kind,)).fetchall()
        for key, body in rows:
            yield key, json.loads(body)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
