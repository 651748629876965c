"""Decides the result of each row of a job, by its script, for both services."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_genai_batch.emulator.jobs.progress import Ending
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps
from airflow_provider_genai_batch.emulator.model import finish
from airflow_provider_genai_batch.emulator.model.errors import RowError, as_status
from airflow_provider_genai_batch.emulator.model.reply import Parts

_LOG = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """The result of one row: ``response`` or ``error``, or neither if the row does not come back.

    The service does not count a row that does not come back. A row that it did not process was not ``reached``.
    """

    response: JsonObject | None = None
    error: JsonObject | None = None
    copies: int = 1
    counts: bool = True
    reached: bool = True


@dataclass(frozen=True)
class Style:
    """How a family of models shows that an answer ended in an unusual way.

    Attributes:
        finished: Takes a response, a reason and whether its content is kept (None: as usual); returns the response.
        blocked: Returns the response to a blocked prompt.
        emptied: Takes a response; returns it without its content.
    """

    finished: Callable[[JsonObject, str, bool | None], JsonObject] = finish.finished
    blocked: Callable[[], JsonObject] = finish.blocked
    emptied: Callable[[JsonObject], JsonObject] = finish.without_content


class Judge:
    """Decides rows one by one, the same way every time."""

    def __init__(self, script: JobScript, ending: Ending, total: int, style: Style | None = None) -> None:
        """Decide by the script of a job.

        Args:
            script: The job's script.
            ending: How the job ended, which determines how many rows were answered.
            total: The number of rows.
            style: The style of the job's family of models; by default Gemini's.
        """
        self._script = script
        self._style = style or Style()
        # Decided once, because most scripts have no settings for single rows.
        self._speaks = bool(script.parts or script.answers)
        self._ends = bool(script.finish_reasons or script.content or script.candidates or script.members)
        self._ending = ending
        self._served = round(ending.served * total)

    def verdict(self, index: int, key: str | None, answer: Callable[[Any], JsonObject]) -> Verdict:
        """Decide one row.

        Args:
            index: The position in the input, from 0.
            key: The row's key, if it has one.
            answer: Asks the simulated model; called with the script's answer for this row, or ``None``.
        """
        script = self._script
        if index >= self._served:
            # Captures of the live service show a cancelled row as a bare code.
            unreached = Verdict(copies=0, counts=False, reached=False)
            return Verdict(error={"code": 1}) if self._ending.cancelled_rows else unreached
        verdict = self._tried(index, key, answer)
        if _named(script.missing, index, key):
            return verdict._replace(copies=0, counts=False)
        return verdict._replace(copies=2) if _named(script.duplicated, index, key) else verdict

    def _tried(self, index: int, key: str | None, answer: Callable[[Any], JsonObject]) -> Verdict:
        script = self._script
        planned = _value(script.row_errors, index, key)
        if planned is None:
            planned = script.all_rows_fail
        if planned is None and script.failing_fraction:
            chance = random.Random(f"{script.seed}:{index}").random()  # noqa: S311 - repeatable, not secret
            planned = script.failing_error if chance < script.failing_fraction else None
        if planned is not None:
            return Verdict(error=as_status(planned))
        if _named(script.blocked, index, key):
            return Verdict(response=self._style.blocked())
        try:
            response = answer(self._said(index, key) if self._speaks else None)
            return Verdict(response=self._ended(response, index, key) if self._ends else response)
        except RowError as refused:
            return Verdict(error=refused.status())
        except Exception as problem:  # noqa: BLE001 - any error fails only its row, and no look at the job
            return _broken(problem)

    def _said(self, index: int, key: str | None) -> Any:
        parts = _value(self._script.parts, index, key)
        return _value(self._script.answers, index, key) if parts is None else Parts(tuple(parts))

    def _ended(self, response: JsonObject, index: int, key: str | None) -> JsonObject:
        script = self._script
        reason, keep = _value(script.finish_reasons, index, key), _value(script.content, index, key)
        if reason is not None:
            response = self._style.finished(response, reason, keep)
        elif keep is False:
            response = self._style.emptied(response)
        if reasons := _value(script.candidates, index, key):
            response = finish.several(response, reasons)
        members = _value(script.members, index, key)
        return finish.with_members(response, members) if members else response


def written(shape: Callable[[Verdict], JsonObject], verdict: Verdict) -> tuple[Verdict, bytes]:
    """Return the verdict and the written row. If an answer cannot be written, the verdict is an error.

    Args:
        shape: Converts a verdict to a row.
        verdict: The result of the row.
    """
    try:
        return verdict, dumps(shape(verdict)) if verdict.copies else b""
    except Exception as problem:  # noqa: BLE001 - as above
        broken = verdict._replace(response=None, error=_broken(problem).error)
        return broken, dumps(shape(broken))


def _broken(problem: Exception) -> Verdict:
    """Return the error of a row that the emulator, or the answer function of a test, could not answer."""
    _LOG.error("A row could not be answered, and fails with code 13.", exc_info=problem)
    return Verdict(error={"code": 13, "message": f"Internal error. {type(problem).__name__}: {problem}"})


def drops_metadata(script: JobScript, index: int, key: str | None) -> bool:
    """Return whether an inline row comes back without its metadata."""
    dropped = script.drop_metadata
    return dropped if isinstance(dropped, bool) else _named(dropped, index, key)


def _named(names: Collection[Any], index: int, key: str | None) -> bool:
    return bool(names) and (f"#{index}" in names or (key is not None and key in names))


def _value(by_row: Any, index: int, key: str | None) -> Any:
    if not by_row:
        return None
    return by_row.get(key, by_row.get(f"#{index}")) if key is not None else by_row.get(f"#{index}")
