"""Prompts with columns in them, ``Classify: {text}``: parsed once, filled in for each row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any
from uuid import uuid4

from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.tables.line_writer import FILE, KEY, LineWriter, Text
from airflow_provider_genai_batch.requests.vertex_importer import Importer
from airflow_provider_genai_batch.wire.lines.entry import file_line
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.tables.statements import Slot

_BRACES = "Write {{ and }} for braces that are text."
_JINJA = re.compile(r"\{\{ [A-Za-z_][\w.]*(?:\(.*?\)|\[.*?\])*(?: *\|.*?)? \}\}")


class Prompt:
    """A parsed template.

    Only plain ``{column}`` is filled in; ``{{`` and ``}}`` are braces. The text of a column never counts as a
    template. Jinja is not rendered, neither in the template nor in a column.

    Args:
        template: a string, or anything else that ``contents`` takes (parts, turns); every string in it is a template.

    Attributes:
        columns: the columns that it names, in order.

    Raises:
        InputError: it names no column, or is not a template.
    """

    def __init__(self, template: Any) -> None:
        self._mark = f"m{uuid4().hex}"
        self._marks = re.compile(rf"({self._mark})x(\d+)x", re.IGNORECASE)
        """Finds a mark, its letters and its number."""
        self._texts: list[Text] = []
        if not isinstance(template, (str, list, tuple, Mapping)) and not _is_model(template):
            kind = type(template).__name__
            msg = f"prompt is of type {kind}: give a string with {{column}} in it, or a list of parts"
            raise InputError(msg)
        self._skeleton = self._marked(template)
        self.columns = tuple(dict.fromkeys(name for text in self._texts for name in text.columns))
        if not self.columns:
            msg = (
                "prompt names no column, so every request would be the same: write {column} where the column's value "
                "goes"
            )
            raise InputError(msg)

    def writer(self, backend: Backend, task: Task, model: str, defaults: Any = None) -> LineWriter:
        """Return a writer of lines for rows that have keys. The request is serialized and checked only once.

        Raises:
            RequestError: it cannot be sent.
        """
        contents = self._skeleton
        if task is Task.EMBED and isinstance(contents, list):
            contents = {"parts": contents}
        try:
            item = {"contents": contents}
            asked = rest_request(item, backend=backend, task=task, model=model, defaults=defaults)
            if backend is Backend.VERTEX and asked.family is Family.GOOGLE:
                Importer("request {}".format).check({"key": "r", "request": asked.request}, 1)
        except RequestError as error:
            msg = "prompt"
            raise error.at(msg) from error
        row = from_json(file_line(self._mark_of(KEY), asked, backend, task, model))
        return LineWriter(row, self._marks, self._texts, dict(self._holders(asked.request)), backend)

    def pieces(self, model: str, defaults: Any = None, backend: Backend = Backend.VERTEX) -> list[str | Slot]:
        """Return the JSON of a request, cut at the columns in its strings.

        Args:
            model: one of Google's.
            defaults: fields of every request.
            backend: where the requests go.

        Raises:
            RequestError: it cannot be sent.
        """
        try:
            asked = rest_request(
                {"contents": self._skeleton},
                backend=backend,
                task=Task.GENERATE,
                model=model,
                defaults=defaults,
            )
            if backend is Backend.VERTEX:
                Importer("request {}".format).check({"key": "r", "request": asked.request}, 1)
        except RequestError as error:
            msg = "prompt"
            raise error.at(msg) from error
        pieces = self._slots(to_json(asked.request), dict(self._holders(asked.request)))
        # A column's text is written with its quotes, so the quotes around its mark are removed.
        for number, piece in enumerate(pieces):
            if isinstance(piece, str):
                begin, end = int(number > 0), len(piece) - (number < len(pieces) - 1)
                pieces[number] = piece[begin:end]
        return pieces

    def _marked(self, value: Any) -> Any:
        """Put a mark in place of every string that names columns."""
        if isinstance(value, str):
            text = _read(value)
            if not text.columns:
                return text.literals[0]
            self._texts.append(text)
            return self._mark_of(len(self._texts))
        if _is_model(value):
            value = value.model_dump(exclude_none=True)
        if isinstance(value, Mapping):
            return {name: self._marked(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._marked(inner) for inner in value]
        return value

    def _mark_of(self, number: int) -> str:
        """Return a mark of letters and digits alone, which is a valid name, key and base64, and stays as it is."""
        return f"{self._mark}x{number}x"

    def _holders(self, value: Any, holder: str = "") -> Iterator[tuple[int, str]]:
        """Yield the number of each placeholder and the name of the field that holds it.

        Many messages have ``data``: it is named with the type of its message, or with the field that holds that.
        """
        if isinstance(value, dict):
            for name, inner in value.items():
                whole = f"{value.get('type', holder)}.{name}" if name == "data" else name
                yield from self._holders(inner, whole)
        elif isinstance(value, list):
            for inner in value:
                yield from self._holders(inner, holder)
        elif isinstance(value, str) and (mark := self._marks.match(value)) is not None:
            yield int(mark[2]), holder

    def _slots(self, line: bytes, holders: dict[int, str]) -> list[str | Slot]:
        """Split a line where its placeholders are."""
        first, *rest = self._marks.split(line.decode())
        slots: list[str | Slot] = [first]
        for mark, digits, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            text = self._texts[int(digits) - 1]
            # Enumeration names were put into capitals, and the mark with them.
            slots += [Slot(*text, not mark.startswith("m"), holders.get(int(digits)) == FILE), after]
        return slots


def _read(template: str) -> Text:
    if found := _JINJA.search(template):
        inside = found[0].strip("{} ")
        msg = (
            f"prompt has {found[0]}, but Jinja is not rendered in it: it names columns, as {{column}}. Put the value "
            f"into a column, or write {{{{{inside}}}}} for the text {{{inside}}}."
        )
        raise InputError(msg)
    literals, columns = [""], list[str]()
    try:
        for literal, column, spec, conversion in Formatter().parse(template):
            literals[-1] += literal
            if column is None:
                continue
            if not column or spec or conversion or set(column) & set(".[]{}"):
                shown = column + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                msg = f"prompt has {{{shown}}}: only the name of a column can stand between braces. {_BRACES}"
                raise InputError(msg)
            columns.append(column)
            literals.append("")
    except ValueError as error:
        msg = f"prompt cannot be read: {error}. {_BRACES}"
        raise InputError(msg) from error
    return Text(tuple(literals), tuple(columns))


def _is_model(value: Any) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "model_dump", None))
