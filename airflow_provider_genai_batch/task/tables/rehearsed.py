"""The statement that writes a result, over rows without answers: BigQuery checks it before anything is paid."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.wire.tables.answers import Answers, Result
from airflow_provider_genai_batch.wire.tables.joined import Joined
from airflow_provider_genai_batch.wire.tables.sql import InnerQuery, name
from airflow_provider_genai_batch.wire.tables.types import NUMERIC

_NO_ANSWERS = InnerQuery(
    "SELECT '' AS key, '' AS status, PARSE_JSON('null') AS response, '' AS processed_time"
)


def rehearsed(ask: TableAsk, rows: InnerQuery, columns: Sequence[str]) -> str:
    """Return the statement, for a dry run.

    Args:
        ask: the table that is written, and its columns.
        rows: the query of the snapshot.
        columns: columns of the source, which come back if the task chooses none.
    """
    kept = ask.columns or columns
    if not ask.streamed:
        answers = Answers([(_NO_ANSWERS, False)], ask.answers)
        return Result(rows, {one: one for one in kept}, answers, ask.rename).create(ask.result, "")
    # Widths belong to declarations of columns; nobody says that a type inside another may have one in a cast.
    nulls = [
        f"CAST(NULL AS {one.type.replace(NUMERIC, 'NUMERIC')}) AS {name(one.name)}"
        for one in ask.table.columns
    ]
    loaded = InnerQuery(f"SELECT {', '.join(nulls)}")
    return Joined(rows, kept, loaded, ask.table.answer_columns).create(ask.result, "")
