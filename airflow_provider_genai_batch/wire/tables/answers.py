"""The SQL of what came back for a table's rows: it judges answers, puts them beside the input, and counts them.

Source: Google's "Batch inference with Gemini" for the columns of answers.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_genai_batch.wire.tables import judge
from airflow_provider_genai_batch.wire.tables.sql import NO_RESPONSE, InnerQuery, TableName, name
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


@dataclass(frozen=True)
class Answers:
    """The answers of the jobs of all rounds so far.

    Attributes:
        tables: the tables that the jobs wrote, each with whether its column ``response`` is text.
        columns: the columns of the answers; None: text.
        cut_off_is_ok: an answer that reached its token limit counts as good, if answers have no type.
    """

    tables: Sequence[tuple[TableName | InnerQuery, bool]]
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

    inputs: TableName | InnerQuery
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
