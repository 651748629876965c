"""The messages of Google's front end for a wrong JSON body. Source: public reports of errors of both services."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_genai_batch.emulator.jsontypes import Json, JsonObject, dumps
from airflow_provider_genai_batch.emulator.model.refused.fields import DEEP, SINGLE, TWICE, UNKNOWN, Problem

MOST = 100
"""The most problems that one error names; the services' own limit is not known."""

_LONGEST_VALUE = 200


def violations(problems: Iterable[Problem], prefix: str, package: str) -> list[JsonObject]:
    """Return the field violations of a body; empty if the front end accepts it.

    Args:
        problems: The problems of the body.
        prefix: The path of the checked message; empty for the body itself.
        package: The proto package of the messages.
    """
    found: list[JsonObject] = []
    for problem in problems:
        # A single value instead of a list counts as a list with one element.
        if problem.what != SINGLE:
            found.append(_violation(problem, prefix, package))
            if len(found) == MOST:
                break
    return found


def text(found: Iterable[JsonObject]) -> str:
    """Return the message of an error with these violations."""
    return "\n".join(str(one["description"]) for one in found)


def _violation(problem: Problem, prefix: str, package: str) -> JsonObject:
    where = _joined(prefix, problem.where())
    outer = where if problem.what in {UNKNOWN, TWICE} else _joined(prefix, problem.where(parent=True))
    at = f" at '{outer}'" if outer else ""
    named = f'Invalid JSON payload received. Unknown name "{problem.name}"{at}:'
    if problem.what == UNKNOWN:
        return _said(outer, f"{named} Cannot find field.")
    if problem.what == TWICE:
        return _said(outer, f"{named} Proto field is set more than once.")
    if problem.what == DEEP:
        return _said(where, "Invalid JSON payload received. Message too deep.")
    if isinstance(problem.value, list):
        return _said(outer, f"{named} Proto field is not repeating, cannot start list.")
    scalar = problem.kind.startswith("TYPE_")
    due = problem.kind if scalar else f"type.googleapis.com/{_full_name(problem.kind, package)}"
    there = (
        "Starting an object on a scalar field" if isinstance(problem.value, dict) else shown(problem.value)
    )
    return _said(where, f"Invalid value at '{where}' ({due}), {there}")


def shown(value: Json) -> str:
    """Return a value as JSON, cut to a length that fits into an error."""
    return dumps(value).decode()[:_LONGEST_VALUE]


def _full_name(kind: str, package: str) -> str:
    known = {"Struct", "Duration", "Timestamp"}
    return f"google.protobuf.{kind}" if kind in known else f"{package}.{'Map' if kind == '{' else kind}"


def _said(where: str, description: str) -> JsonObject:
    return {"field": where, "description": description} if where else {"description": description}


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path
