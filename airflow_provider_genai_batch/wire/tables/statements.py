"""The SQL statements of a task that makes requests of a table's rows.

A snapshot of the rows with deterministic keys, a check of it, the requests, and the result after the jobs. Each is
built from parameters alone. The names of tables and jobs are derived from their contents, so a later attempt finds
them.

Sources: BigQuery's "Data definition language (DDL) statements"; Google's "Batch inference with Gemini" for the columns
of requests and answers.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_genai_batch.wire.tables import judge
from airflow_provider_genai_batch.wire.tables.sql import NO_RESPONSE, TableName, literal, name
from airflow_provider_genai_batch.wire.tables.types import Column

KEY = "genai_key"
OWN_COLUMNS = ("row_status", "row_error", "tokens", KEY)
"""Columns beside those of the input and of the answers."""
AT_HAND_COLUMNS = ("asked", "answered_at", "reused_from", "same_as")
"""Additional columns if answers are reused or only one of equal requests is submitted."""
TOKENS = {
    "input": "promptTokenCount",
    "output": "candidatesTokenCount",
    "cached": "cachedContentTokenCount",
    "thoughts": "thoughtsTokenCount",
    "total": "totalTokenCount",
}
"""Kinds of tokens, with the service's names."""
TRAFFIC = "JSON_VALUE(response, '$.usageMetadata.trafficType')"
"""Reads the tier by which the service counts an immediate call."""
MISFIT = "does not fit output_type in"
_OK = "'ok'"
_STATUS = (
    "CASE WHEN v.key IS NULL OR v.misfits = ' response' THEN 'missing' "
    "WHEN v.misfits = ' status' THEN 'error' WHEN v.misfits = '' THEN 'ok' ELSE 'invalid' END"
)
_INVALID = (
    "CONCAT(CASE v.misfits WHEN ' text' THEN CONCAT('no text, ', IFNULL(JSON_VALUE(v.response, "
    "'$.promptFeedback.blockReason'), IFNULL(v.reason, 'no reason'))) "
    "WHEN ' reason' THEN CONCAT('finished with ', "
    f"IFNULL(v.reason, 'no reason')) ELSE CONCAT('{MISFIT}', v.misfits) END, ': ', IFNULL(v.text, ''))"
)
_ERROR = (
    "CASE WHEN v.key IS NULL OR v.misfits IN ('', ' response') THEN NULL "
    f"WHEN v.misfits = ' status' THEN v.status ELSE {_INVALID} END"
)
_SPENT = ", ".join(
    f"SAFE_CAST(JSON_VALUE(v.response, '$.usageMetadata.{theirs}') AS INT64) AS {ours}"
    for ours, theirs in TOKENS.items()
)
"""Reads the tokens of a row of `Answers.judged`."""
_MOST_CAUSES = 1000
_LONGEST_CAUSE = 2000
_HASHES = ("a", "b")
"""Two sums of 30 bits each distinguish one content from another."""
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
            parts.append(f"COUNTIF(NOT STARTS_WITH({file.text(self.columns)}, 'gs://')) AS file_{number}")
        asked = ", ".join(f"{name(one)} AS {name(one)}" for one in dict.fromkeys((KEY, *self.needed)))
        parts.append(sums_of(f"TO_JSON_STRING(STRUCT({asked}))"))
        return f"SELECT {', '.join(parts)} FROM {table} AS t"

    @property
    def _kept(self) -> tuple[str, ...]:
        """The columns, each once: to BigQuery a name is the same in capitals, and a prompt may write it so."""
        kept: dict[str, str] = {}
        for one in self.columns:
            kept.setdefault(one.lower(), one)
        return tuple(kept.values())

    def _key(self) -> str:
        if len(self.key) == 1:
            return f"CONCAT('k', CAST(t.{name(self.key[0])} AS STRING))"
        if self.key:
            nulls = " OR ".join(f"t.{name(one)} IS NULL" for one in self.key)
            return f"IF({nulls}, NULL, CONCAT('k', TO_HEX(SHA256({self._json(self.key)}))))"
        row = self._json(self._kept)
        number = f"CAST(ROW_NUMBER() OVER (PARTITION BY {row}) AS STRING)"
        return f"CONCAT('k', SUBSTR(TO_HEX(SHA256({row})), 1, 32), '_', {number})"

    @staticmethod
    def _json(columns: Sequence[str]) -> str:
        return f"TO_JSON_STRING(STRUCT({', '.join(f't.{name(one)} AS {name(one)}' for one in columns)}))"


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
    if kind == "STRING":
        return f"IFNULL({value}, '')"
    if kind == "BYTES":
        return f"IFNULL(TO_BASE64({value}), '')"
    if kind.startswith(("ARRAY", "STRUCT", "RECORD", "JSON")):
        return f"IFNULL(TO_JSON_STRING({value}), '')"
    return f"IFNULL(CAST({value} AS STRING), '')"


@dataclass(frozen=True)
class Answers:
    """The answers of the jobs of all rounds so far.

    Attributes:
        tables: the tables that the jobs wrote, each with whether its column ``response`` is text.
        columns: the columns of the answers; None: text.
        cut_off_is_ok: an answer that reached its token limit counts as good, if answers have no type.
    """

    tables: Sequence[tuple[TableName, bool]]
    columns: Sequence[Column] | None = None
    cut_off_is_ok: bool = True

    def judged(self) -> str:
        """Return ``WITH … best AS (…)``: the best answer for each key; of equally good ones, the latest."""
        some = " UNION ALL ".join(
            f"SELECT {number} AS job, key, status, {_response(is_text)} AS response, "
            f"SAFE_CAST(processed_time AS TIMESTAMP) AS processed_time FROM {table}"
            for number, (table, is_text) in enumerate(self.tables)
        )
        text = (
            "(SELECT STRING_AGG(JSON_VALUE(p, '$.text'), '' ORDER BY i) FROM UNNEST(JSON_QUERY_ARRAY("
            "IF(JSON_TYPE(response) = 'object', response, NULL), '$.candidates[0].content.parts')) AS p "
            "WITH OFFSET AS i WHERE IFNULL(JSON_VALUE(p, '$.thought'), 'false') <> 'true')"
        )
        reason = "JSON_VALUE(response, '$.candidates[0].finishReason')"
        parsed = ", SAFE.PARSE_JSON(text, wide_number_mode=>'round') AS o" if self.columns is not None else ""
        return (
            f"WITH answered AS ({some}), "
            f"texts AS (SELECT *, {text} AS text, {reason} AS reason FROM answered), "
            f"parsed AS (SELECT *{parsed} FROM texts), "
            f"judged AS (SELECT *, {self._misfits()} AS misfits FROM parsed), "
            "best AS (SELECT * FROM judged WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY "
            "IF(misfits = '', 0, 1), IF(IFNULL(status, '') = '' AND response IS NOT NULL, 0, 1), "
            "processed_time DESC) = 1)"
        )

    def _misfits(self) -> str:
        """Return the SQL of what is wrong with an answer; empty if nothing is."""
        whole = "('STOP')" if self.columns is not None or not self.cut_off_is_ok else "('STOP', 'MAX_TOKENS')"
        if self.columns is None:
            inside = "''"
        else:
            misfits = judge.misfits(self.columns, "o")
            inside = f"IF(o IS NULL OR JSON_TYPE(o) <> 'object', ' answer', {misfits})"
        return (
            "CASE WHEN TRIM(IFNULL(status, '')) <> '' THEN ' status' "
            f"WHEN response IS NULL OR TO_JSON_STRING(response) IN {NO_RESPONSE} THEN ' response' "
            f"WHEN IFNULL(text, '') = '' THEN ' text' WHEN IFNULL(reason, 'STOP') NOT IN {whole} THEN ' reason' "
            f"ELSE {inside} END"
        )


@dataclass(frozen=True)
class KeptAtHand:
    """The table that says what was known for each row before requests were written.

    Attributes:
        table: its name.
        reuses: it has columns with answers of earlier results.
    """

    table: TableName
    reuses: bool


@dataclass(frozen=True)
class Result:
    """The user's table: columns of the input and of the answers side by side.

    Attributes:
        inputs: the snapshot.
        kept: its columns that come back, by their new names.
        answers: the answers of all rounds; without tables if nothing was submitted.
        renamed: new names of the answers' columns.
        at_hand: what was known for the rows in advance; None: nothing was looked up.
    """

    inputs: TableName
    kept: Mapping[str, str]
    answers: Answers
    renamed: Mapping[str, str] = field(default_factory=dict)
    at_hand: KeptAtHand | None = None

    def create(self, table: TableName, options: str) -> str:
        """Return the statement; it replaces an existing table."""
        columns = [f"s.{name(old)} AS {name(new)}" for new, old in self.kept.items()]
        columns += self._answers()
        columns += [
            f"{self._or_reused(_OK, _STATUS)} AS row_status",
            f"{self._or_reused('CAST(NULL AS STRING)', _ERROR)} AS row_error",
            f"{self._or_reused('a.tokens', f'STRUCT({_SPENT})')} AS tokens",
            f"s.{KEY} AS {KEY}",
        ]
        begin, joins = f"CREATE OR REPLACE TABLE {table} {options} AS", ""
        key = f"s.{KEY}"
        if self.at_hand is not None:
            answered_at = self._or_reused("a.answered_at", "SAFE_CAST(v.processed_time AS TIMESTAMP)")
            equal = "IF(a.reused_from IS NULL AND a.first_key <> a.key, a.first_key, NULL)"
            columns += ["a.asked AS asked", f"{answered_at} AS answered_at"]
            columns += ["a.reused_from AS reused_from", f"{equal} AS same_as"]
            joins, key = f" JOIN {self.at_hand.table} AS a ON a.key = {key}", "a.first_key"
        if self.answers.tables:
            begin = f"{begin} {self.answers.judged()}"
            joins += f" LEFT JOIN best AS v ON v.key = {key}"
        return f"{begin} SELECT {', '.join(columns)} FROM {self.inputs} AS s{joins}"

    def _answers(self) -> list[str]:
        if self.answers.columns is None:
            found = self._or_reused("a.answer_0", "IF(v.misfits = '', v.text, NULL)")
            return [f"{found} AS {name(self.renamed.get('answer', 'answer'))}"]
        return [
            self._or_reused(f"a.answer_{number}", f"IF(v.misfits = '', {judge.read(one, 'v.o')}, NULL)")
            + f" AS {name(self.renamed.get(one.name, one.name))}"
            for number, one in enumerate(self.answers.columns)
        ]

    def _or_reused(self, reused: str, fresh: str) -> str:
        """Return the SQL of a value: from an earlier result if it answers the row, else from this run."""
        if not self.answers.tables:
            return reused
        if self.at_hand is None or not self.at_hand.reuses:
            return fresh
        return f"IF(a.reused_from IS NOT NULL, {reused}, {fresh})"


def measured(requests: Sequence[TableName], answers: Answers) -> str:
    """Return the query of the results of requests, one row for each: key, status, error, text and tokens.

    Args:
        requests: tables of jobs.
        answers: the answers to these.
    """
    keys = " UNION DISTINCT ".join(f"SELECT key FROM {table}" for table in requests)
    return (
        f"{answers.judged()} SELECT s.key AS key, {_STATUS} AS row_status, {_ERROR} AS row_error, v.text AS text, "
        f"{_SPENT} FROM ({keys}) AS s LEFT JOIN best AS v ON v.key = s.key"
    )


def counts(table: TableName) -> str:
    """Return the query that counts a result's rows by status and cause, the commonest first."""
    cause = (
        "CASE row_status WHEN 'invalid' THEN REGEXP_EXTRACT(row_error, r'^[^:]*') "
        f"WHEN 'error' THEN SUBSTR(TRIM(row_error), 1, {_LONGEST_CAUSE}) ELSE '' END"
    )
    return (
        f"SELECT row_status, {cause} AS cause, COUNT(*) AS number, "
        "SUM(COUNT(*)) OVER (PARTITION BY row_status) AS alike "
        # Of each status, because a status without a line would count as no rows.
        f"FROM {table} GROUP BY row_status, cause QUALIFY ROW_NUMBER() OVER (PARTITION BY row_status "
        f"ORDER BY COUNT(*) DESC) <= {_MOST_CAUSES} ORDER BY number DESC"
    )


def usage(answers: Answers, long_prompt: int) -> str:
    """Return the query that sums the tokens in each table of answers, including rows that were replaced.

    The sums are all tokens, those of long prompts (``long_…``), those that immediate calls pay in full (``full_…``),
    and both (``full_long_…``).

    Args:
        answers: of all rounds.
        long_prompt: input tokens above which a request has a higher price.
    """
    prompt = f"JSON_VALUE(response, '$.usageMetadata.{TOKENS['input']}')"
    is_long = f"IFNULL(SAFE_CAST({prompt} AS INT64), 0) > {long_prompt}"
    in_full = f"IFNULL({TRAFFIC}, '') <> 'ON_DEMAND_FLEX'"
    kinds = {"": "TRUE", "long_": is_long, "full_": in_full, "full_long_": f"{is_long} AND {in_full}"}
    sums = "".join(
        f", SUM(IF({only}, SAFE_CAST(JSON_VALUE(response, '$.usageMetadata.{theirs}') AS INT64), 0)) AS {kind}{ours}"
        for kind, only in kinds.items()
        for ours, theirs in TOKENS.items()
    )
    some = " UNION ALL ".join(
        f"SELECT {number} AS job, status, {_response(is_text)} AS response FROM {table}"
        for number, (table, is_text) in enumerate(answers.tables)
    )
    answered = "IFNULL(status, '') = '' AND JSON_VALUE(response, '$.candidates[0].finishReason') IS NOT NULL"
    return (
        f"SELECT job, COUNT(*) AS number, COUNTIF({answered}) AS answered{sums} "
        f"FROM ({some}) GROUP BY job ORDER BY job"
    )


def _response(is_text: bool) -> str:
    return "SAFE.PARSE_JSON(response, wide_number_mode=>'round')" if is_text else "response"
