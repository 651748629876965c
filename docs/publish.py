"""Put a release's built site beside those of others: ``python docs/publish.py SITE PLACE VERSION``.

PLACE gets a folder for each release, and its own address leads to the newest one. All this needs is Python, because the
job that runs it may write to the repository.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")
_LIST = Path("_static", "versions.js")
_FIRST = "docs/index.html"
_REDIRECT = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={0}">
<a href="{0}">{0}</a>
"""


def publish(site: Path, place: Path, version: str) -> None:
    """Copy a site to its folder, and let the pages of all releases list all releases.

    Args:
        site: as `make docs` builds it.
        place: the folder of all releases.
        version: a release, with or without ``v``. Its earlier pages are replaced.

    Raises:
        ValueError: it is none, or `site` is no site.
    """
    name = version.removeprefix("v")
    if _RELEASE.fullmatch(name) is None:
        msg = f"{version} is no release"
        raise ValueError(msg)
    if not (site / _FIRST).is_file():
        msg = f"{site} has no {_FIRST}: run make docs first"
        raise ValueError(msg)
    shutil.rmtree(place / name, ignore_errors=True)
    shutil.copytree(site, place / name)
    releases = _releases(place)
    pages = json.dumps([[one, _pages(place / one)] for one in releases])
    for one in releases:
        (place / one / _LIST).write_text(f"var VERSIONS = {pages};\n")
    newest = next((one for one in releases if one.replace(".", "").isdigit()), releases[0])
    (place / "index.html").write_text(_REDIRECT.format(f"{newest}/{_FIRST}"))
    (place / ".nojekyll").touch()  # GitHub Pages would leave out folders that begin with an underscore


def _releases(place: Path) -> list[str]:
    """Return the releases that have a folder, the newest first."""
    found = [_RELEASE.fullmatch(path.parent.parent.name) for path in place.glob(f"*/{_FIRST}")]
    return [one[0] for one in sorted(filter(None, found), key=_rank, reverse=True)]


def _rank(release: re.Match[str]) -> tuple[int, ...]:
    *numbers, before, number = release.groups()
    return (*map(int, numbers), ("a", "b", "rc", None).index(before), int(number or 0))


def _pages(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
