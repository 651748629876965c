"""Adds up what the parts counted for the checks of all rows."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import Checked, Manifest
from airflow_provider_genai_batch.results.gates import counted


def checked_of(parts: Sequence[Manifest], checks: Sequence[Check]) -> tuple[Checked, ...]:
    """Return the results of checks over the rows of all parts, by their bounds of today.

    Each part has counted its own rows, so no row is read again: a share or a mean times its rows is a count.

    Args:
        parts: the manifests.
        checks: the checks, without `drift`.

    Raises:
        InputError: a part did not count what a check looks at.
    """
    return tuple(_checked(parts, check) for check in checks)


def _checked(parts: Sequence[Manifest], check: Check) -> Checked:
    number = of = 0
    for part in parts:
        found = next((one for one in part.checks if one.check == check.name), None)
        if found is None:
            msg = (
                f"The task of the part at {part.results_uri} ran without a check of {check.name}. Clear the mapped "
                "tasks: they land their rows again with the checks of today, and pay nothing."
            )
            raise InputError(msg)
        number += round((found.value or 0) * found.rows)
        of += found.rows
    return counted(check, number, of)
