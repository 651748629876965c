"""What has to be so before a version is published: ``python -m tests.packaging.release TAG FOLDER``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.docs.pages import ROOT


def problems(tag: str, folder: Path, root: Path = ROOT) -> list[str]:
    """Return what is not as it has to be.

    Args:
        tag: of the commit, such as ``v1.2.3``.
        folder: holds the distributions.
        root: of the repository.
    """
    init = (root / "airflow_provider_genai_batch" / "__init__.py").read_text()
    (version,) = re.findall(r'^__version__ = "(.+)"$', init, re.MULTILINE)
    heading = re.search(r"^## \[(.+)\] - (.+)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and the version {version}")
    if heading is None or heading[1] != version or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", heading[2]):
        found.append(f"CHANGELOG.md does not begin with {version} and a date")
    placed = [root / "pyproject.toml", *root.glob(".github/**/*.yml"), *root.glob("docs/*.md")]
    if left := [path.name for path in placed if "OWNER" in path.read_text()]:
        found.append(f"OWNER in {', '.join(left)} is nobody's account")
    names = sorted(path.name for path in folder.glob("*.*"))
    wheel, sdist = (
        f"airflow_provider_genai_batch-{version}{end}" for end in ("-py3-none-any.whl", ".tar.gz")
    )
    if names != [wheel, sdist]:
        found.append(f"{folder} holds {', '.join(names) or 'nothing'}")
    return found


if __name__ == "__main__":
    wrong = problems(sys.argv[1], Path(sys.argv[2]))
    sys.exit("\n".join(wrong))
