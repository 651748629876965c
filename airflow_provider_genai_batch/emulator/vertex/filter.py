"""The filter of batchPredictionJobs.list.

Google's API design guide (AIP-160) gives the grammar: comparisons joined by AND, OR, NOT and parentheses,
where OR binds closer than AND. The reference of the method gives the fields and their operators.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable
from datetime import datetime

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jobs.states import wire
from airflow_provider_genai_batch.emulator.model.names import last_part

Test = Callable[[Job], bool]

_TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|<=|>=|!=|[=<>:()]|[^\s=<>:()"!]+)')
_FRACTION = re.compile(r"\.(\d+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ALLOWED = {
    "display_name": ("=", "!=", ":"),
    "model_display_name": ("=", "!="),
    "state": ("=", "!="),
    "create_time": tuple(_COMPARE),
}


def compiled(text: str) -> Test:
    """Return a test for jobs; an empty filter accepts every job.

    Raises:
        ApiError: 400 for an invalid filter.
    """
    if not text.strip():
        return lambda _job: True
    tokens: list[str] = []
    place = 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _bad(text[place:])
        tokens.append(found.group(1))
        place = found.end()
    reader = _Reader(tokens)
    test = reader.conjunction()
    if reader.tokens:
        raise _bad(reader.tokens[0])
    return test


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def conjunction(self) -> Test:
        tests = [self._disjunction()]
        while self._took("AND"):
            tests.append(self._disjunction())
        return lambda job: all(test(job) for test in tests)

    def _disjunction(self) -> Test:
        tests = [self._factor()]
        while self._took("OR"):
            tests.append(self._factor())
        return lambda job: any(test(job) for test in tests)

    def _factor(self) -> Test:
        if self._took("NOT"):
            inner = self._factor()
            return lambda job: not inner(job)
        if self._took("("):
            inner = self.conjunction()
            if not self._took(")"):
                raise _bad("missing )")
            return inner
        return _comparison(self._next(), self._next(), self._next())

    def _took(self, word: str) -> bool:
        if self.tokens[:1] == [word]:
            self.tokens.pop(0)
            return True
        return False

    def _next(self) -> str:
        if not self.tokens:
            raise _bad("it ends too early")
        return self.tokens.pop(0)


def _comparison(name: str, sign: str, raw: str) -> Test:
    if raw in {"(", ")", "AND", "OR"}:
        raise _bad(raw)
    value = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
    if name.startswith("labels.") or name == "labels":
        return _label(name.removeprefix("labels").lstrip("."), sign, value, quoted=raw != value)
    if sign not in _ALLOWED.get(name, ()):
        message = f"{name} {sign}"
        raise _bad(message)
    if name == "create_time":
        at_ns = _nanoseconds(value)
        compare = _COMPARE[sign]
        return lambda job: compare(job.created_ns // 1000, at_ns // 1000)
    if name == "display_name" and sign == ":":
        pattern = re.compile(_glob(value))
        return lambda job: pattern.fullmatch(job.display_name) is not None
    read: Callable[[Job], str] = {
        "display_name": lambda job: job.display_name,
        "model_display_name": lambda job: last_part(job.model),
        "state": lambda job: wire(job.state, "JOB_STATE_"),
    }[name]
    return (lambda job: read(job) == value) if sign == "=" else (lambda job: read(job) != value)


def _label(key: str, sign: str, value: str, *, quoted: bool) -> Test:
    if not key and sign == ":":
        return lambda job: value in (job.resource.get("labels") or {})
    if key and sign == ":" and value == "*" and not quoted:
        return lambda job: key in (job.resource.get("labels") or {})
    if key and sign == "=":
        return lambda job: (job.resource.get("labels") or {}).get(key) == value
    message = f"labels.{key} {sign} {value}"
    raise _bad(message)


def _glob(value: str) -> str:
    """Return a pattern: a star stands for any text; without stars the text may be anywhere."""
    text = value if "*" in value else f"*{value}*"
    return fnmatch.translate(text.replace("[", "[[]").replace("?", "[?]"))


def _nanoseconds(value: str) -> int:
    try:
        # Python 3.10 only reads fractions with exactly six digits.
        six = _FRACTION.sub(lambda found: f".{found.group(1)[:6]:0<6}", value)
        moment = datetime.fromisoformat(six.replace("Z", "+00:00"))
    except ValueError as problem:
        raise _bad(value) from problem
    if moment.tzinfo is None:
        raise _bad(value)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NANOSECONDS + moment.microsecond * 1000


def _bad(what: str) -> ApiError:
    message = f"Invalid filter: {what}"
    return ApiError(400, message)
