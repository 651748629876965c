"""How many parts an input is divided into, and how large each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError


@dataclass(frozen=True)
class Division:
    """How to divide an input.

    Attributes:
        parts: the number of parts; None: `rows_per_part` decides, or each file is a part.
        rows_per_part: the most requests, or rows of a table, that a part has.
    """

    parts: int | None = None
    rows_per_part: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigurationError: one is not a whole number from 1, or both are given.
        """
        for name in ("parts", "rows_per_part"):
            value: Any = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                msg = f"{name}={value!r} is not a count: give a whole number from 1."
                raise ConfigurationError(msg)
        if self.parts is not None and self.rows_per_part is not None:
            msg = "parts and rows_per_part both say how large a part is: give one of them."
            raise ConfigurationError(msg)

    def check_one(self, file: str) -> None:
        """Refuse a single file if no number of parts or rows is given.

        Raises:
            ConfigurationError: neither is given.
        """
        if self.parts is None and self.rows_per_part is None:
            msg = f"src is one file, {file}: say with parts or rows_per_part into how many it is divided."
            raise ConfigurationError(msg)

    def sizes(self, rows: int) -> Iterator[int]:
        """Yield the number of rows of each part; no part is empty, and `parts` differ by one row at most."""
        if self.rows_per_part is not None:
            whole, rest = divmod(rows, self.rows_per_part)
            yield from [self.rows_per_part] * whole
            if rest:
                yield rest
            return
        yield from (size for size in _shares(rows, self.parts or 1) if size)

    def groups(self, files: Sequence[str], *, together: bool) -> list[list[str]]:
        """Return the files of each part, in order. Files are not cut.

        Args:
            files: at least two.
            together: whether a part may have several files.

        Raises:
            InputError: the files cannot be divided in this way.
        """
        if self.rows_per_part is not None:
            msg = (
                f"src is {len(files)} files, which stay whole: leave rows_per_part out (each file is a part), or "
                "give src as one file."
            )
            raise InputError(msg)
        parts = self.parts or len(files)
        if parts == len(files):
            return [[file] for file in files]
        if not together or parts > len(files):
            why = "each of them is a part" if parts <= len(files) else "there are fewer files than parts"
            msg = f"src is {len(files)} files and parts={parts}, but {why}: leave parts out."
            raise InputError(msg)
        begin, groups = 0, []
        for size in _shares(len(files), parts):
            groups.append([*files[begin : begin + size]])
            begin += size
        return groups


def _shares(whole: int, parts: int) -> Iterator[int]:
    """Yield `parts` whole numbers that differ by 1 at most and add up to `whole`."""
    for number in range(parts):
        yield whole * (number + 1) // parts - whole * number // parts
