"""The typed BigQuery table that rows are loaded into, from any kind of input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import to_jsonable_python

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only
from airflow_provider_genai_batch.wire.schemas.output_type import given_type
from airflow_provider_genai_batch.wire.tables.answers import OWN_COLUMNS
from airflow_provider_genai_batch.wire.tables.load import OWN, conform
from airflow_provider_genai_batch.wire.tables.sql import TableName, check_names, is_table, read_table
from airflow_provider_genai_batch.wire.tables.types import Column, columns_of

ANSWER = "answer"
"""The column of answers without a type."""
_INPUT, _TEXT = Column("input", "JSON"), Column("text", "STRING")
_EMBEDDING = (Column("embedding", "FLOAT64", repeated=True),)


@dataclass(frozen=True)
class TypedTable:
    """A table and its columns.

    Attributes:
        name: the name of the table.
        answers: columns of the answers; None: answers are text.
        rename: new names for these columns.
        embeds: whether the answers are embeddings.
        with_input: whether there is also a column of type JSON with the columns of the input row.
        keyless: whether rows have no keys and come back with their text, which then has a column.
    """

    name: TableName
    answers: tuple[Column, ...] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    embeds: bool = False
    with_input: bool = False
    keyless: bool = False

    @property
    def _all(self) -> tuple[Column, ...]:
        if self.embeds:
            return _EMBEDDING
        return (Column(ANSWER, "STRING"),) if self.answers is None else self.answers

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The names of the answers' columns."""
        return tuple(self.rename.get(one.name, one.name) for one in self._all)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns that rows are loaded into."""
        pairs = zip(self._all, self.answer_columns, strict=True)
        answers = tuple(replace(one, name=new) for one, new in pairs)
        asked = (*((_INPUT,) if self.with_input else ()), *((_TEXT,) if self.keyless else ()))
        return (*asked, *answers, *OWN)

    @property
    def fields(self) -> dict[str, str]:
        """The answers' columns by field; an empty field name stands for the whole answer."""
        if self.embeds:
            return {"": self.answer_columns[0]}
        if self.answers is None:
            return {}
        return dict(zip((one.name for one in self.answers), self.answer_columns, strict=True))

    @property
    def text(self) -> str:
        """The column of answers that are text; empty if they are not text."""
        return "" if self.fields else self.answer_columns[0]

    def checked(self, check: Callable[[str], Any] | None) -> Callable[[str], Any] | None:
        """Return a check of an answer's text that also makes its result fit the columns."""
        columns = self.answers
        if check is None or columns is None:
            return check

        def checks(text: str) -> Any:
            return conform(columns, to_jsonable_python(check(text), by_alias=True, inf_nan_mode="null"))

        return checks


def typed_of(task: Any, backend: Backend) -> TypedTable | None:
    """Return the table into which a task loads its rows; None: they land in a file.

    Args:
        task: the operator, or its settings, with a `results_uri`.
        backend: the service, which decides how the model's name is read.

    Raises:
        InputError, ConfigurationError: its columns are invalid.
    """
    uri = task.results_uri
    if not is_table(uri):
        return None
    model = read_model(task.model, backend)
    asked = task.prompt is not None
    return read_typed(uri, task.output_type, task.rename, with_input=asked, **facts_of(model, backend))


def facts_of(model: str, backend: Backend) -> dict[str, bool]:
    """Return what decides the columns of a model's answers: `embeds` and `keyless` of `read_typed`."""
    return {"embeds": task_of(model) is Task.EMBED, "keyless": takes_text_only(model, backend)}


def read_typed(
    uri: str,
    output_type: Any = None,
    rename: Mapping[str, str] | None = None,
    *,
    embeds: bool = False,
    with_input: bool = False,
    keyless: bool = False,
) -> TypedTable:
    """Read the parameters of a table that rows are loaded into.

    Args:
        uri: ``bq://project.dataset.table``.
        output_type: the type of the answers.
        rename: new column names by the answers' names.
        embeds: whether the answers are embeddings.
        with_input: whether rows have columns of their input, if they have keys to join them by.
        keyless: whether rows have no keys.

    Raises:
        InputError, ConfigurationError: a value is not valid.
    """
    answers = None if output_type is None or embeds else columns_of(given_type(output_type))
    with_input = with_input and not keyless
    table = TypedTable(read_table(uri, "results_uri"), answers, {}, embeds, with_input, keyless)
    table = replace(table, rename=read_rename(rename, table.answer_columns))
    asked = [one.name for one, is_there in ((_INPUT, with_input), (_TEXT, keyless)) if is_there]
    check_names([*table.answer_columns, *OWN_COLUMNS, *asked], "The table of the results")
    return table


def read_rename(given: Any, names: tuple[str, ...]) -> Mapping[str, str]:
    """Read the new names of the answers' columns.

    Raises:
        InputError, ConfigurationError: it is not a dict to names, or renames a column that does not exist.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        msg = f"rename is {given!r}: give a dict from a name of the answers to the name of its column."
        raise ConfigurationError(msg)
    for one in given:
        if one not in names:
            msg = f"rename has {one!r}, which is none of the answers' names: {', '.join(names)}."
            raise InputError(msg)
    return dict(given)
