"""The SQL statements that make requests of a table's rows.

A snapshot of the rows with deterministic keys, a check of it, and the requests. The names of tables and jobs are
derived from their contents, so a later attempt finds them. `wire.tables.answers` has what comes after the jobs.

Sources: BigQuery's "Data definition language (DDL) statements"; Google's "Batch inference with Gemini" for the columns
of requests.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_genai_batch.wire.tables.answers import KEY, Answers
from airflow_provider_genai_batch.wire.tables.sql import TableName, literal, name

_HASHES = ("a", "b")
"""Two sums of 30 bits each distinguish one content from another."""
_FUNCTIONS = {"BYTES": "TO_BASE64", "GEOGRAPHY": "ST_ASTEXT"}
"""Functions that write values of a type as text."""
AT_HAND_ASKS = "a.reused_from IS NULL AND a.first_key = a.key"
"""The condition for the rows of an at-hand table that are submitted."""


@dataclass(frozen=True)
class Snapshot:
    """The rows that a task submits: which ones, and their keys.

    Attributes:
        source: the user's table or view.
        columns: names and types of the columns that are kept, by the source's schema.
        key: names of the columns that identify a row; empty: all of them do.
        where: the user's condition over ``t``; empty: all rows.
        needed: columns that a prompt names.
        bare: the ones that form a part of the prompt by themselves.
        files: strings of the prompt that are addresses of files.
        slots: all strings of the prompt that contain columns.
        long_text: bytes of the strings above which a prompt has a higher price.
    """

    source: TableName
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    where: str = ""
    needed: tuple[str, ...] = ()
    bare: tuple[tuple[str, ...], ...] = ()
    files: tuple[Slot, ...] = ()
    slots: tuple[Slot, ...] = ()
    long_text: int = 0

    def select(self) -> str:
        """Return the query of the rows."""
        kept = ", ".join(f"t.{name(one)} AS {name(one)}" for one in self._kept)
        where = f" WHERE (\n{self.where}\n)" if self.where else ""
        return f"SELECT {self._key()} AS {KEY}, {kept} FROM {self.source} AS t{where}"

    def create(self, table: TableName, options: str) -> str:
        """Return the statement that stores them; it does nothing if they are stored already."""
        return f"CREATE TABLE IF NOT EXISTS {table} {options} AS {self.select()}"

    def check(self, table: TableName) -> str:
        """Return the query that counts rows, keys and nulls of a snapshot, and computes a checksum of the requests."""
        parts = [
            "COUNT(*) AS total",
            f"COUNTIF({KEY} IS NULL) AS without_key",
            f"COUNT(DISTINCT {KEY}) AS distinct_keys",
        ]
        parts += [f"COUNTIF({name(one)} IS NULL) AS null_{number}" for number, one in enumerate(self.needed)]
        for number, columns in enumerate(self.bare):
            text = ", ".join(_as_text(f"t.{name(one)}", self.columns[one]) for one in columns)
            parts.append(f"COUNTIF(TRIM(CONCAT('', {text})) = '') AS empty_{number}")
        text = (
            " + ".join(f"BYTE_LENGTH({one.text(self.columns)})" for one in self.slots if not one.is_file)
            or "0"
        )
        parts += [
            f"SUM({text}) AS bytes",
            f"COUNTIF({text} > {self.long_text}) AS long_rows",
            f"SUM(IF({text} > {self.long_text}, {text}, 0)) AS long_bytes",
        ]
        for number, file in enumerate(self.files):
            address = file.text(self.columns)
            parts.append(f"COUNTIF(NOT REGEXP_CONTAINS({address}, r'^gs://[^/]+/.')) AS file_{number}")
        asked = ", ".join(f"{name(one)} AS {name(one)}" for one in _each_once((KEY, *self.needed)))
        parts.append(sums_of(f"TO_JSON_STRING(STRUCT({asked}))"))
        return f"SELECT {', '.join(parts)} FROM {table} AS t"

    @property
    def _kept(self) -> tuple[str, ...]:
        """The columns, each once, without the key of another task's result: the keys of these rows have its name."""
        return tuple(one for one in _each_once(self.columns) if one.lower() != KEY)

    def _key(self) -> str:
        if len(self.key) == 1:
            return f"CONCAT('k', {_written(f't.{name(self.key[0])}', self.columns[self.key[0]])})"
        if self.key:
            nulls = " OR ".join(f"t.{name(one)} IS NULL" for one in self.key)
            return f"IF({nulls}, NULL, CONCAT('k', TO_HEX(SHA256({self._json(self.key)}))))"
        row = self._json(self._kept)
        number = f"CAST(ROW_NUMBER() OVER (PARTITION BY {row}) AS STRING)"
        return f"CONCAT('k', SUBSTR(TO_HEX(SHA256({row})), 1, 32), '_', {number})"

    @staticmethod
    def _json(columns: Sequence[str]) -> str:
        return f"TO_JSON_STRING(STRUCT({', '.join(f't.{name(one)} AS {name(one)}' for one in columns)}))"


def _each_once(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns, each once: to BigQuery a name is the same in capitals, and a prompt may write it so."""
    found: dict[str, str] = {}
    for one in columns:
        found.setdefault(one.lower(), one)
    return tuple(found.values())


def options(labels: Mapping[str, str], days: int | None = None) -> str:
    """Return the SQL of a table's labels and expiry.

    Args:
        labels: of the job that writes it.
        days: days until it expires; None: never.
    """
    given = [f"labels=[{', '.join(f'({literal(key)}, {literal(value)})' for key, value in labels.items())}]"]
    if days is not None:
        given.append(f"expiration_timestamp=TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {days} DAY)")
    return f"OPTIONS ({', '.join(given)})"


def sums_of(text: str, only: str = "") -> str:
    """Return the SQL of two sums, ``sum_a`` and ``sum_b``, that distinguish one set of texts from another.

    Args:
        text: SQL of a text.
        only: SQL condition for the rows that count; empty: all.
    """
    sums = []
    for salt in _HASHES:
        one = f"MOD(FARM_FINGERPRINT(CONCAT('{salt}', {text})), 1000000007)"
        sums.append(f"SUM({f'IF({only}, {one}, 0)' if only else one}) AS sum_{salt}")
    return ", ".join(sums)


@dataclass(frozen=True)
class Requests:
    """The requests of a snapshot's rows.

    Attributes:
        inputs: the snapshot.
        pieces: JSON of a request: literal texts, and `Slot`s for columns.
        types: types of the columns.
        shard: number and count if the rows are divided among several jobs.
        answered: the result of earlier rounds; its good rows are not submitted again. None: there were none.
        at_hand: the table that says which rows are submitted; None: all.
        sample: the size of the sample, and whether to submit it or the other rows; None: there is no sample.
    """

    inputs: TableName
    pieces: Sequence[str | Slot]
    types: Mapping[str, str]
    shard: tuple[int, int] | None = None
    answered: Answers | None = None
    at_hand: TableName | None = None
    sample: tuple[int, bool] | None = None

    def select(self) -> str:
        """Return the query of all requests, with their keys."""
        return f"SELECT t.{KEY} AS key, {self._request()} AS request FROM {self.inputs} AS t"

    def create(self, table: TableName, options: str) -> str:
        """Return the statement; it does nothing if the table exists."""
        begin = f"CREATE TABLE IF NOT EXISTS {table} {options} AS"
        request = self._request()
        conditions = []
        if self.shard is not None:
            number, count = self.shard
            conditions.append(f"MOD(FARM_FINGERPRINT(t.{KEY}) & 0x7FFFFFFFFFFFFFFF, {count}) = {number}")
        rows, asks = self._rows()
        conditions += asks
        if self.sample is not None:
            number, wanted = self.sample
            only = f" WHERE {asks[0]}" if asks else ""
            first = (
                f"SELECT t.{KEY} FROM {rows}{only} ORDER BY FARM_FINGERPRINT(t.{KEY}), t.{KEY} LIMIT {number}"
            )
            conditions.append(f"t.{KEY} {'IN' if wanted else 'NOT IN'} ({first})")
        join = ""
        if self.answered is not None:
            begin = f"{begin} {self.answered.judged()}"
            join = " LEFT JOIN best AS v ON v.key = t.genai_key AND v.misfits = ''"
            conditions.append("v.key IS NULL")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"{begin} SELECT t.{KEY} AS key, {request} AS request FROM {rows}{join}{where}"

    def _rows(self) -> tuple[str, list[str]]:
        """Return the SQL of the rows, and the conditions for those that are submitted."""
        if self.at_hand is None:
            return f"{self.inputs} AS t", []
        return f"{self.inputs} AS t JOIN {self.at_hand} AS a ON a.key = t.{KEY}", [AT_HAND_ASKS]

    def _request(self) -> str:
        parts = [
            piece.sql(self.types) if isinstance(piece, Slot) else literal(piece)
            for piece in self.pieces
            if piece
        ]
        return parts[0] if len(parts) == 1 else f"CONCAT({', '.join(parts)})"


@dataclass(frozen=True)
class Slot:
    """A string of a request with columns in it.

    Attributes:
        literals: the text around the columns: one more item than there are columns.
        columns: the columns' names.
        upper: the whole string is put into capitals.
        is_file: it is the address of a file.
    """

    literals: tuple[str, ...]
    columns: tuple[str, ...]
    upper: bool = False
    is_file: bool = False

    def sql(self, types: Mapping[str, str]) -> str:
        """Return the SQL of the JSON string."""
        text = self.text(types)
        return f"TO_JSON_STRING({f'UPPER({text})' if self.upper else text})"

    def text(self, types: Mapping[str, str]) -> str:
        """Return the SQL of the text."""
        parts = [literal(self.literals[0])] if self.literals[0] else []
        for column, after in zip(self.columns, self.literals[1:], strict=True):
            parts += [_as_text(f"t.{name(column)}", types[column])] + ([literal(after)] if after else [])
        return parts[0] if len(parts) == 1 else f"CONCAT({', '.join(parts)})"


def _as_text(value: str, kind: str) -> str:
    """Return the SQL of a value as it appears in a prompt; null counts as empty, and was refused before."""
    return f"IFNULL({_written(value, kind)}, '')"


def _written(value: str, kind: str) -> str:
    """Return the SQL of a value as text, null for null. Not every type can be cast to STRING."""
    if kind == "STRING":
        return value
    if kind.startswith(("ARRAY", "STRUCT", "RECORD", "JSON")):
        return f"IF({value} IS NULL, NULL, TO_JSON_STRING({value}))"  # at the service, null would be a text
    if kind in _FUNCTIONS:
        return f"{_FUNCTIONS[kind]}({value})"
    return f"CAST({value} AS STRING)"
