"""Lines of one template, filled in for rows, many at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.frames import Frames
from airflow_provider_genai_batch.requests.tables.values import Row, prompt_text
from airflow_provider_genai_batch.wire.prompts.content import part
from airflow_provider_genai_batch.wire.prompts.typed import typed
from airflow_provider_genai_batch.wire.values import standard_base64

KEY = 0
"""The number of the mark where the key goes; strings of the template are numbered from 1."""
FILE = "fileUri"
"""The field that holds an address."""
BYTES, BYTES_OF_PARTNERS = "inlineData.data", "base64.data"
"""The fields that hold bytes, in Google's format and in Claude's."""
_BLANK = " \t\n\r\f\b"


class Text(NamedTuple):
    """One string of a template."""

    literals: tuple[str, ...]
    """The text around the columns: one more item than there are columns."""
    columns: tuple[str, ...]

    def filled(self, values: Iterator[str]) -> str:
        """Return the string with the columns' values in it."""
        first, *rest = self.literals
        return first + "".join(f"{next(values)}{literal}" for literal in rest)


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
        holders: field names by the number of the mark in them, such as `FILE` and `BYTES`.
        backend: where the lines go.
    """

    def __init__(
        self,
        row: Mapping[str, Any],
        changing: re.Pattern[str],
        texts: Sequence[Text],
        holders: Mapping[int, str],
        backend: Backend,
    ) -> None:
        self._backend = backend
        self._columns: list[tuple[str, Callable[[str], str] | None]] = []
        """Columns with the change that their texts need."""
        self._bare: list[range] = []
        """The column numbers of each string that has only columns in it."""
        self._files: list[Text] = []
        self._frames = Frames(row, changing)
        self._filled: list[_Filled] = []
        for whole in self._frames.texts:
            literal, *found = changing.split(whole)
            literals, columns = [literal], list[int]()
            for mark, digits, after in zip(found[::3], found[1::3], found[2::3], strict=True):
                number = int(digits)
                if number == KEY:
                    columns.append(KEY)
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

    def _add(self, text: Text, holder: str, upper: bool) -> tuple[list[str], range]:
        begin = len(self._columns)
        self._columns += [(name, self._change(text, name, holder, upper)) for name in text.columns]
        numbers = range(begin + 1, len(self._columns) + 1)
        if not "".join(text.literals).strip():
            self._bare.append(numbers)
        if holder == FILE:
            self._files.append(text)
        return [literal.upper() if upper else literal for literal in text.literals], numbers

    def _change(self, text: Text, name: str, holder: str, upper: bool) -> Callable[[str], str] | None:
        if upper:
            return str.upper
        if holder not in (BYTES, BYTES_OF_PARTNERS):
            return None
        if any(text.literals) or len(text.columns) > 1:
            msg = f"there is more than column {name!r} in the data of a picture, sound or document"
            raise RequestError(msg, f'Write {{"data": "{{{name}}}"}}, and the type as mime_type.')
        return partial(_base64, name=name, backend=self._backend, standard=holder == BYTES_OF_PARTNERS)

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
            for name, change in self._columns:
                column = [row[name] for row in rows]
                if {*map(type, column)} != {str}:
                    column = [value if type(value) is str else _text(value, name) for value in column]
                values.append([*map(change, column)] if change else column)
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
            for name, change in self._columns:
                value = row[name]
                if type(value) is not str:
                    value = _text(value, name)
                value.encode()
                values.append([change(value) if change else value])
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


def _base64(text: str, *, name: str, backend: Backend, standard: bool) -> str:
    """Return the base64 of a column, for partners in the standard alphabet.

    Raises:
        RequestError: it is something else, such as the path of a file.
    """
    checked: str = typed(text, "bytes", f"column {name!r}", backend)
    return standard_base64(checked) if standard else checked


def _is_blank(values: Iterable[str]) -> bool:
    return not any(value.strip(_BLANK) for value in values)


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
