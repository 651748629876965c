"""Records which files of the package a run goes through: each call, and each time that a generator goes on."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from typing_extensions import Self

import airflow_provider_genai_batch

_PACKAGE = Path(airflow_provider_genai_batch.__file__).parent
_ELSEWHERE = ("emulator/", "testing/")
"""What a run has no part in."""
Edge = Callable[[str, FrameType], bool]
"""Whether a walk begins or ends at a call, by the file below the package and the frame."""


@dataclass
class Walk:
    """Calls in their order, from the one at which it begins to the one at which it ends.

    Args:
        begins: the first call.
            ends: the last call; None: the walk ends when the first call has its result, or an event.
    """

    begins: Edge
    ends: Edge | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    """File below the package and function."""
    over: bool = False
    _first: FrameType | None = None
    _names: dict[str, str | None] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Record what this thread calls."""
        sys.setprofile(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        """Record no more."""
        sys.setprofile(None)

    @property
    def files(self) -> set[str]:
        """The files that it goes through."""
        return {file for file, _ in self.calls}

    @property
    def hops(self) -> list[tuple[str, str]]:
        """The first call of each stay in a file, in order."""
        return [next(stay) for _, stay in groupby(self.calls, key=lambda call: call[0])]

    @property
    def moves(self) -> int:
        """How often successive calls are in two files."""
        return len(self.hops) - 1

    def _call(self, frame: FrameType, event: str, arg: Any) -> None:
        if self.over:
            return
        if event == "return" and frame is self._first and self.ends is None and not _pauses(frame, arg):
            self.over, self._first = True, None
        if event != "call" or (file := self._file(frame.f_code)) is None:
            return
        if not self.calls:
            if not self.begins(file, frame):
                return
            self._first = frame
        self.calls.append((file, frame.f_code.co_name))
        if self.ends is not None and self.ends(file, frame):
            self.over, self._first = True, None

    def _file(self, code: CodeType) -> str | None:
        """Return the file of the package that code is in; None: it is of none, or no function's."""
        if not code.co_flags & inspect.CO_OPTIMIZED:  # a module or a class, which an import runs
            return None
        path = code.co_filename
        if path not in self._names:
            name = (
                Path(path).relative_to(_PACKAGE).as_posix() if Path(path).is_relative_to(_PACKAGE) else None
            )
            self._names[path] = None if name is None or name.startswith(_ELSEWHERE) else name
        return self._names[path]


def _pauses(frame: FrameType, arg: Any) -> bool:
    """Whether an asynchronous generator returns to the event loop only to wait."""
    waits = frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR
    return bool(waits) and type(arg).__name__ != "async_generator_wrapped_value"
