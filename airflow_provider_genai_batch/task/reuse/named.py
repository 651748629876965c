"""The earlier results that `reuse` names, whether they are in files or in tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import Manifest, Reuse


def last_results(manifest: Mapping[str, Any] | None) -> str | None:
    """Return where the rows of a task's last run landed, by its last manifest, which may be that of a plan."""
    known = manifest or {}
    return known.get("results_uri") or known.get("last_results_uri")


def named(
    reuse: Reuse,
    own: str,
    manifest: Callable[[], Mapping[str, Any] | None],
    read: Callable[[Any], Manifest],
) -> list[tuple[str, bool]]:
    """Return the addresses of earlier results in their order, and whether the user named each.

    Args:
        reuse: the parameter that names them.
        own: where the task's own rows land.
        manifest: returns the manifest of the task's latest earlier run, if there is one.
        read: reads a manifest.

    Raises:
        InputError: a manifest has no landed rows.
    """
    found: list[tuple[str, bool]] = []
    for one in reuse.results if isinstance(reuse.results, (list, tuple)) else [reuse.results]:
        if one is True:
            before = last_results(manifest())
            found += [(uri, False) for uri in (before, own) if uri]
        elif isinstance(one, (Mapping, Manifest)) or (isinstance(one, str) and one.strip()[:1] == "{"):
            where = read(one).results_uri
            if where is None:
                msg = (
                    "reuse names a manifest whose rows landed nowhere: it has no results_uri. Nothing was sent and "
                    "nothing is billed. Name the manifest of a task with results_uri, or leave it out."
                )
                raise InputError(msg)
            found.append((where, True))
        else:
            found.append((str(one), True))
    return found
