"""The software bill: what the package brings along, as it is installed here. ``python -m tests.packaging.bill``."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "airflow-provider-genai-batch"
_FREE = re.compile(
    r"apache|artistic|\bmit\b|\bbsd|\bisc\b|\bpsf|python software|mpl|mozilla|unlicense|\bzlib\b|0bsd|public domain|"
    r"lgpl|lesser general public",
    re.IGNORECASE,
)
"""Licences under which a component may be used beside this package's own, Apache-2.0."""
_UNSAID = {"openlineage-sql": "Apache-2.0"}
"""Of distributions that say nothing of their licence: as their repositories say, November 2026."""


@dataclass(frozen=True)
class Component:
    """One distribution."""

    name: str
    version: str
    licence: str

    @property
    def may_be_used(self) -> bool:
        """Whether its licence is known to allow that; one of several that it offers will do."""
        return bool(_FREE.search(self.licence))


def components(extra: str | None = None) -> list[Component]:
    """Return what an extra brings along, with all that it asks for; None: what the package itself does."""
    seen: dict[str, Component] = {}
    _walk(Requirement(f"{PACKAGE}[{extra}]" if extra else PACKAGE), seen, set())
    seen.pop(PACKAGE)
    return sorted(seen.values(), key=lambda one: one.name)


def licence_of(found: Distribution) -> str:
    """Return what a distribution says of its licence, in the newest way in which it says it."""
    told = found.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    first = (told.get("License") or "").strip().partition("\n")[0]
    said = told.get("License-Expression") or ", ".join(classifiers) or first
    return said or _UNSAID.get(canonicalize_name(told["Name"]), "")


def cyclonedx() -> dict[str, object]:
    """Return the bill of the package with all its extras, in the format CycloneDX 1.6."""
    own = distribution(PACKAGE)
    everything = {one.name: one for extra in extras() for one in components(extra)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "name": PACKAGE,
                "version": own.version,
                "purl": _purl(PACKAGE, own.version),
            }
        },
        "components": [
            {
                "type": "library",
                "name": one.name,
                "version": one.version,
                "purl": _purl(one.name, one.version),
                "licenses": [{"license": {"name": one.licence}}],
            }
            for one in sorted(everything.values(), key=lambda one: one.name)
        ],
    }


def extras() -> list[str | None]:
    """Return no extra, and all that the package has."""
    return [None, *(distribution(PACKAGE).metadata.get_all("Provides-Extra") or ())]


def _walk(wanted: Requirement, seen: dict[str, Component], asked: set[tuple[str, str]]) -> None:
    name = canonicalize_name(wanted.name)
    try:
        found = distribution(name)
    except PackageNotFoundError:  # for another Python or system
        return
    seen[name] = Component(name, found.version, licence_of(found))
    for extra in {"", *wanted.extras}:
        if (name, extra) not in asked:
            asked.add((name, extra))
            for further in _asked_for(name, extra):
                _walk(further, seen, asked)


@cache
def _asked_for(name: str, extra: str) -> list[Requirement]:
    wanted = [Requirement(line) for line in distribution(name).requires or ()]
    return [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": extra})]


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


if __name__ == "__main__":
    json.dump(cyclonedx(), sys.stdout, indent=1)
