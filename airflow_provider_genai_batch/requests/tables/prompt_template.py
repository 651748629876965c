"""Prompts with columns in them, ``Classify: {text}``: parsed once, filled in for each row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple, cast
from uuid import uuid4

from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.frames import Frames
from airflow_provider_genai_batch.requests.tables.values import prompt_text
from airflow_provider_genai_batch.requests.vertex_importer import Importer
from airflow_provider_genai_batch.wire.lines.entry import file_line
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.prompts.content import part
from airflow_provider_genai_batch.wire.tables.statements import Slot

Row = Mapping[str, Any]

_BRACES = "Write {{ and }} for braces that are text."
_JINJA = re.compile(r"\{\{ [A-Za-z_][\w.]*(?:\(.*?\)|\[.*?\])*(?: *\|.*?)? \}\}")
_BLANK = " \t\n\r\f\b"
_KEY = 0
"""The number of the mark where the key goes; strings of the template are numbered from 1."""


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
        self._texts: list[_Text] = []
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
        row = from_json(file_line(self._mark_of(_KEY), asked, backend, task, model))
        changing = re.compile(rf"({self._mark})_(\d+)_", re.IGNORECASE)
        return LineWriter(row, changing, self._texts, dict(self._holders(asked.request)), backend)

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
        line = to_json(asked.request)
        pieces: list[str | Slot] = []
        for slot in self._slots(line, dict(self._holders(asked.request))):
            if isinstance(slot, _Slot):
                pieces.append(Slot(*cast("_Text", slot.text), slot.upper, slot.holder == "fileUri"))
            else:
                pieces.append(slot.decode())
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
        return f"{self._mark}_{number}_"

    def _holders(self, value: Any, holder: str = "") -> Iterator[tuple[int, str]]:
        """Yield the number of each placeholder and the name of the field that holds it."""
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from self._holders(inner, name)
        elif isinstance(value, list):
            for inner in value:
                yield from self._holders(inner, holder)
        elif isinstance(value, str) and value.lower().startswith(self._mark):
            yield int(value.split("_")[1]), holder

    def _slots(self, line: bytes, holders: dict[int, str]) -> list[bytes | _Slot]:
        """Cut a line at its placeholders."""
        first, *rest = re.split(rf"({self._mark})_(\d+)_".encode(), line, flags=re.IGNORECASE)
        slots: list[bytes | _Slot] = [first]
        for mark, digits, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            number = int(digits)
            # Enumeration names were put into capitals, and the mark with them.
            upper = not mark.startswith(b"m")
            text = self._texts[number - 1] if number != _KEY else None
            slots += [_Slot(text, holders.get(number, ""), upper), after]
        return slots


class _Text(NamedTuple):
    """One string of a template."""

    literals: tuple[str, ...]
    """The text around the columns: one more item than there are columns."""
    columns: tuple[str, ...]

    def filled(self, values: Iterator[str]) -> str:
        first, *rest = self.literals
        return first + "".join(f"{next(values)}{literal}" for literal in rest)


class _Slot(NamedTuple):
    """A place where a line changes from row to row."""

    text: _Text | None
    """None: the key."""
    holder: str
    upper: bool


class _Filled(NamedTuple):
    """A string of a line: literals, and between them columns by number."""

    literals: tuple[str, ...]
    columns: tuple[int, ...]

    def texts(self, values: Sequence[Sequence[str]]) -> Sequence[str]:
        """Return the string for each line."""
        first, *others = self.literals
        if len(others) == 1:
            (last,), column = others, values[self.columns[0]]
            return [f"{first}{value}{last}" for value in column] if first or last else column
        rows = zip(*(values[number] for number in self.columns), strict=True)
        return [first + "".join(map("".join, zip(row, others, strict=True))) for row in rows]


class LineWriter:
    """Fills in the lines of one template.

    Args:
        row: one of the lines, with a mark for each column and for the key.
        changing: finds a mark, its letters and its number.
        texts: the template's strings, counted from 1.
        holders: field names by the number of the mark in them.
        backend: where the lines go.
    """

    def __init__(
        self,
        row: Mapping[str, Any],
        changing: re.Pattern[str],
        texts: Sequence[_Text],
        holders: Mapping[int, str],
        backend: Backend,
    ) -> None:
        self._backend = backend
        self._columns: list[tuple[str, bool]] = []
        self._bare: list[range] = []
        """The column numbers of each string that has only columns in it."""
        self._files: list[_Text] = []
        self._frames = Frames(row, changing)
        self._filled: list[_Filled] = []
        for whole in self._frames.texts:
            literal, *found = changing.split(whole)
            literals, columns = [literal], list[int]()
            for mark, digits, after in zip(found[::3], found[1::3], found[2::3], strict=True):
                number = int(digits)
                if number == _KEY:
                    columns.append(_KEY)
                    literals.append(after)
                    continue
                # Enumeration names were put into capitals, and the mark with them.
                upper = not mark.startswith("m")
                between, numbers = self._add(texts[number - 1], holders.get(number, ""), upper)
                literals[-1] += between[0]
                literals += between[1:]
                literals[-1] += after
                columns += numbers
            self._filled.append(_Filled(tuple(literals), tuple(columns)))

    def _add(self, text: _Text, holder: str, upper: bool) -> tuple[list[str], range]:
        begin = len(self._columns)
        self._columns += [(name, upper) for name in text.columns]
        numbers = range(begin + 1, len(self._columns) + 1)
        if not "".join(text.literals).strip():
            self._bare.append(numbers)
        if holder == "fileUri":
            self._files.append(text)
        return [literal.upper() if upper else literal for literal in text.literals], numbers

    def lines(self, rows: Sequence[Row], keys: Sequence[str]) -> bytes | None:
        """Write the lines of rows, at most `requests.frames.TOGETHER`.

        Args:
            rows: rows of the table.
            keys: the rows' keys, as lines have them.

        Returns:
            None if a row is not right; `line` says what is wrong with it.
        """
        values: list[Sequence[str]] = [keys]
        try:
            for name, upper in self._columns:
                column = [row[name] for row in rows]
                if not all(map(_is_text, column)):
                    column = [value if type(value) is str else _text(value, name) for value in column]
                values.append([*map(str.upper, column)] if upper else column)
            for numbers in self._bare:
                begins = [
                    row
                    for row in zip(*(values[number] for number in numbers), strict=True)
                    if row[0][:1] <= " "
                ]
                if any(map(_is_blank, begins)):
                    return None
            if self._files:
                for row in rows:
                    self._check_files(row)
            return self._frames.lines([filled.texts(values) for filled in self._filled])
        except (KeyError, RequestError, UnicodeEncodeError):
            return None

    def line(self, row: Row, key: str) -> bytes:
        """Write one row's line.

        Raises:
            RequestError: a column is missing or null; a prompt is empty, or cannot be sent.
        """
        values = [[key]]
        name = ""
        try:
            for name, upper in self._columns:
                value = row[name]
                if type(value) is not str:
                    value = _text(value, name)
                value.encode()
                values.append([value.upper() if upper else value])
        except KeyError as error:
            raise _missing(name, row) from error
        except UnicodeEncodeError as error:
            msg = f"column {name!r} holds half of a surrogate pair"
            raise RequestError(msg, "Give text that can be written as UTF-8.") from error
        for numbers in self._bare:
            if _is_blank([values[number][0] for number in numbers]):
                name = self._columns[numbers[-1] - 1][0]
                msg = f"column {name!r} is empty, and nothing else stands in that part of the prompt"
                raise RequestError(msg, "Leave such rows out, or add text around it.")
        self._check_files(row)
        return self._frames.lines([filled.texts(values) for filled in self._filled])

    def _check_files(self, row: Row) -> None:
        for text in self._files:
            uri = text.filled(_text(row[column], column) for column in text.columns)
            part({"fileData": {"fileUri": uri}}, self._backend)


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_blank(values: Iterable[str]) -> bool:
    return not any(value.strip(_BLANK) for value in values)


def _read(template: str) -> _Text:
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
    return _Text(tuple(literals), tuple(columns))


def _text(value: Any, name: str) -> str:
    try:
        text = prompt_text(value)
    except TypeError as error:
        msg = f"column {name!r} has {error}"
        raise RequestError(msg, "Make it a string, a number, a date or bytes.") from error
    if text is None:
        msg = f"column {name!r} is null" + ("" if value is None else f" ({value} is no value)")
        raise RequestError(msg, "Leave such rows out, or fill them in.")
    return text


def _missing(name: str, row: Row) -> RequestError:
    there = ", ".join(map(repr, row)) or "none"
    return RequestError(f"there is no column {name!r}, which the prompt names", f"The columns are: {there}.")


def _is_model(value: Any) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "model_dump", None))
