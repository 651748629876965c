"""Keys in bounded memory: a table in SQLite, which keeps what exceeds its cache in a temporary file."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Sequence

from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.wire.keys import stamped_index

_CACHE_KIB = 4096
_MARKED = 1 << 26
"""Stamps with an index below this take one bit each, 8 MiB at most."""


def _table(owner: object, definition: str) -> sqlite3.Connection:
    """Open a table that is deleted together with its owner."""
    base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    weakref.finalize(owner, base.close)
    for setting in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
        base.execute(f"PRAGMA {setting}")
    base.execute(f"CREATE TABLE keys {definition}")
    base.execute("BEGIN")  # one transaction for all keys: one for each key would write to disk for each key
    return base


def _spelled(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


class KeySet:
    """An exact set of keys of any size. A stamp takes a bit; another key a few microseconds and hardly any memory."""

    def __init__(self) -> None:
        self._stamps = Bitset()
        self._base: sqlite3.Connection | None = None
        self._others = 0

    def __len__(self) -> int:
        return len(self._stamps) + self._others

    def add(self, key: str) -> bool:
        """Add a key; return False if the set already has it."""
        index = stamped_index(key)
        if index is not None and index < _MARKED:
            return self._stamps.add(index)
        if self._base is None:
            self._base = _table(self, "(key BLOB PRIMARY KEY) WITHOUT ROWID")
        new = self._base.execute("INSERT OR IGNORE INTO keys VALUES (?)", (_spelled(key),)).rowcount == 1
        self._others += new
        return new

    def add_stamps(self, indices: Sequence[int | None]) -> bool:
        """Add stamps by their indices; return False, and add none, if one is no stamp or the set already has it."""
        stamps = [index for index in indices if index is not None and index < _MARKED]
        return len(stamps) == len(indices) and self._stamps.add_all(stamps)

    def __contains__(self, key: str) -> bool:
        index = stamped_index(key)
        if index is not None and index < _MARKED:
            return index in self._stamps
        if self._base is None:
            return False
        found = self._base.execute("SELECT 1 FROM keys WHERE key = ?", (_spelled(key),))
        return found.fetchone() is not None


class KeyPlaces:
    """The keys of an input and their places in it, in both directions."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._base = _table(self, "(place INTEGER PRIMARY KEY, key BLOB)")
        pairs = enumerate(map(_spelled, keys))
        self._base.executemany("INSERT INTO keys VALUES (?, ?)", pairs)
        self._base.execute("CREATE INDEX by_key ON keys (key)")
        (self.count,) = self._base.execute("SELECT count(*) FROM keys").fetchone()

    def get(self, key: str) -> int | None:
        """Return a key's place; None if it is not in the input."""
        found = self._base.execute("SELECT place FROM keys WHERE key = ?", (_spelled(key),)).fetchone()
        return None if found is None else found[0]

    def key(self, place: int) -> str:
        """Return the key at a place below `count`."""
        (key,) = self._base.execute("SELECT key FROM keys WHERE place = ?", (place,)).fetchone()
        return str(key, errors="surrogatepass")
