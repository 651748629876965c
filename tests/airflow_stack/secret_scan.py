"""Looks for secrets, in whatever form, in Airflow's database and files."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken

_EXEMPT = frozenset({"connection"})
"""The one table where credentials are at home."""
_PIECE = 32
_SHORTEST = 16


@dataclass(frozen=True, order=True)
class Leak:
    """A secret where it should not be."""

    where: str
    what: str


class Secrets:
    """Secrets by name, and all the forms in which they would be of use to a finder."""

    def __init__(self) -> None:
        self._forms: dict[str, set[bytes]] = {}

    @property
    def names(self) -> set[str]:
        """What is looked for, by name."""
        return set(self._forms)

    def add(self, name: str, secret: str) -> None:
        """Look for a secret from now on, as it is, in JSON, in URLs, and in base64 of any text around it.

        Raises:
            ValueError: it is so short that it may be found by chance.
        """
        if len(secret) < _SHORTEST:
            message = f"{name}: {len(secret)} characters are no secret"
            raise ValueError(message)
        self._forms.setdefault(name, set()).update(_forms(secret.encode()))

    def add_private_key(self, pem: str) -> None:
        """Look for any piece of a private key, however its lines are broken."""
        body = "".join(line for line in pem.splitlines() if "-----" not in line)
        for start in range(0, len(body) - _PIECE, _PIECE):
            self.add("private key", body[start : start + _PIECE])

    def within(self, text: bytes, where: str) -> Iterator[Leak]:
        """Name the secrets in a text."""
        for name, forms in self._forms.items():
            if any(form in text for form in forms):
                yield Leak(where, name)


def scan_database(path: Path, fernet_key: str, secrets: Secrets) -> set[Leak]:
    """Look through every cell of every table but that of connections; encrypted and packed ones are opened.

    Args:
        path: Of the SQLite file.
        fernet_key: Airflow's.
        secrets: To look for.
    """
    found: set[Leak] = set()
    fernet = Fernet(fernet_key)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=120)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in set(tables) - _EXEMPT:
            rows = database.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in rows.description]
            for row in rows:
                for column, cell in zip(columns, row, strict=True):
                    for text in _opened(cell, fernet):
                        found.update(secrets.within(text, f"{table}.{column}"))
    return found


def scan_files(folder: Path, secrets: Secrets) -> set[Leak]:
    """Look through every file below a folder but the database."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("airflow.db"))
    return {
        leak for path in files for leak in secrets.within(path.read_bytes(), str(path.relative_to(folder)))
    }


def scan_texts(texts: Iterable[str], where: str, secrets: Secrets) -> set[Leak]:
    """Look through texts."""
    return {leak for text in texts for leak in secrets.within(text.encode(), where)}


def _opened(cell: object, fernet: Fernet) -> Iterator[bytes]:
    """Give a cell's bytes, and what is in them if they are encrypted or compressed."""
    if not isinstance(cell, (str, bytes)):
        return
    raw = cell.encode() if isinstance(cell, str) else cell
    yield raw
    if raw.startswith(b"gAAAA"):
        try:
            yield fernet.decrypt(raw)
        except InvalidToken as error:
            message = f"a cell looks encrypted and cannot be read: {raw[:20]!r}"
            raise AssertionError(message) from error
    if raw[:1] == b"\x78":
        try:
            yield zlib.decompress(raw)
        except zlib.error:  # an x at the beginning of a text
            return


def _forms(secret: bytes) -> set[bytes]:
    text = secret.decode()
    forms = {secret, json.dumps(text)[1:-1].encode(), quote(text, safe="").encode(), secret.hex().encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Characters at the ends depend on what stands before and after the secret.
            coded = encode(b"\0" * shift + secret)
            whole = len(secret) + shift
            forms.add(coded[(0, 2, 3)[shift] : whole * 8 // 6])
    return forms
