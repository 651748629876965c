"""The statement that finds out for each row its request, the earlier result that answers it, and an equal row.

It runs once, before the requests are written, and its table is kept: so every attempt leaves out the same rows, even
if the earlier results have changed in the meantime. The user's own table may be among them, and is replaced.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from airflow_provider_genai_batch.wire.tables.answers import TOKENS
from airflow_provider_genai_batch.wire.tables.fitting import fits_still
from airflow_provider_genai_batch.wire.tables.sql import TableName, literal, name
from airflow_provider_genai_batch.wire.tables.statements import AT_HAND_ASKS, Requests, sums_of
from airflow_provider_genai_batch.wire.tables.types import Column

_VERSION = 1
"""Version of the digested content. Digests of two versions are never equal, so no request takes a wrong answer."""
_OF_GOOGLE = "publishers/google/models/"
NEEDED = ("asked", "answered_at", "row_status", "tokens")
"""The columns that a reusable result has beside those of its answers."""


def digest_begin(model: str, *, whole: bool) -> str:
    """Return the text that precedes a request when it is digested.

    SQL has no BLAKE2, which identifies rows in files, so no row in a file has the same digest as a row in a table.

    Args:
        model: the job's model.
        whole: answers are text, and truncated ones do not count: a result does not say which were truncated.
    """
    known = model.partition(_OF_GOOGLE)[2] or model.removeprefix("models/")
    return json.dumps(["bigquery", _VERSION, known, *(["whole"] if whole else [])])


@dataclass(frozen=True)
class EarlierTable:
    """A table with the result of an earlier run.

    Attributes:
        table: its name.
        answers: its columns of answers, in the order of this run.
    """

    table: TableName
    answers: Sequence[str]


@dataclass(frozen=True)
class AtHand:
    """What is known about the rows of a snapshot before requests are written.

    Attributes:
        requests: the requests of all rows.
        begin: see `digest_begin`.
        columns: the columns of the answers; None: text.
        earlier: tables with results; the first one takes precedence.
        since: requests with older answers are submitted again; None: no answer is too old.
        dedupe: of equal requests, only one is submitted.
    """

    requests: Requests
    begin: str
    columns: Sequence[Column] | None = None
    earlier: Sequence[EarlierTable] = field(default=())
    since: datetime | None = None
    dedupe: bool = False

    def create(self, table: TableName, options: str) -> str:
        """Return the statement; it does nothing if the table exists."""
        asked = (
            f"asked AS (SELECT r.key AS key, TO_HEX(SHA256(CONCAT({literal(self.begin)}, r.request))) AS asked "
            f"FROM ({self.requests.select()}) AS r)"
        )
        first = "MIN(a.key) OVER (PARTITION BY a.asked)" if self.dedupe else "a.key"
        columns = [f"a.key AS key, a.asked AS asked, {first} AS first_key"]
        begin, join = f"WITH {asked}", ""
        if self.earlier:
            names = ["reused_from", "answered_at", "tokens", *self._answers]
            columns += [f"e.{one} AS {one}" for one in names]
            begin, join = f"{begin}, {self._best(names)}", " LEFT JOIN best AS e ON e.asked = a.asked"
        else:
            columns += ["CAST(NULL AS STRING) AS reused_from, CAST(NULL AS TIMESTAMP) AS answered_at"]
        return (
            f"CREATE TABLE IF NOT EXISTS {table} {options} AS {begin} "
            f"SELECT {', '.join(columns)} FROM asked AS a{join}"
        )

    @property
    def _answers(self) -> list[str]:
        return [f"answer_{number}" for number in range(1 if self.columns is None else len(self.columns))]

    def _best(self, names: Sequence[str]) -> str:
        """Return the SQL of the good rows of earlier results, one for each request."""
        some = " UNION ALL ".join(self._rows(number, one) for number, one in enumerate(self.earlier))
        kept = ", ".join(["asked", *names])
        return (
            f"earlier AS ({some}), best AS (SELECT {kept} FROM earlier WHERE TRUE QUALIFY "
            "ROW_NUMBER() OVER (PARTITION BY asked ORDER BY number, answered_at DESC) = 1)"
        )

    def _rows(self, number: int, earlier: EarlierTable) -> str:
        answers = [f"t.{name(one)}" for one in earlier.answers]
        read = ", ".join(f"{one} AS {to}" for one, to in zip(answers, self._answers, strict=True))
        good = ["t.row_status = 'ok'", "t.asked IS NOT NULL"]
        if self.columns is None:
            good.append(f"{answers[0]} IS NOT NULL")
        else:
            fitting = [fits_still(column, one) for column, one in zip(self.columns, answers, strict=True)]
            good += [one for one in fitting if one != "TRUE"]
        if self.since is not None:
            at = self.since.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")
            good.append(f"t.answered_at >= TIMESTAMP '{at}'")
        return (
            f"SELECT {number} AS number, t.asked AS asked, {literal(earlier.table.uri)} AS reused_from, "
            f"t.answered_at AS answered_at, t.tokens AS tokens, {read} FROM {earlier.table} AS t "
            f"WHERE {' AND '.join(good)}"
        )


def counts_at_hand(table: TableName) -> str:
    """Return the query that counts reused and duplicate rows, and computes a checksum of the rows to submit."""
    return (
        "SELECT COUNT(*) AS total, COUNTIF(a.reused_from IS NOT NULL) AS reused, "
        "COUNTIF(a.reused_from IS NULL AND a.first_key <> a.key) AS same, "
        "COUNT(DISTINCT IF(a.reused_from IS NULL, a.asked, NULL)) AS different, "
        f"{sums_of('a.key', AT_HAND_ASKS)} FROM {table} AS a"
    )


def counts_unpaid(table: TableName) -> str:
    """Return the query that counts a result's rows that no job was paid for, by status, with their tokens."""
    unpaid = "(reused_from IS NOT NULL OR same_as IS NOT NULL)"
    sums = "".join(f", SUM(tokens.{one}) AS {one}" for one in TOKENS)
    return (
        "SELECT row_status, COUNTIF(reused_from IS NOT NULL) AS reused, COUNTIF(same_as IS NOT NULL) AS same"
        f"{sums} FROM {table} WHERE {unpaid} GROUP BY row_status"
    )
