"""The page of figures: each benchmark writes sections of its own and leaves the others alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmarks.md"


def put(heading: str, text: str, page: Path = PAGE) -> None:
    """Write a section in place of the one with that heading, or after all others if there is none.

    Args:
        heading: Of the second level, without its ``##``.
        text: What stands below it.
        page: The file.
    """
    head, *sections = re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)
    section = f"## {heading}\n\n{text.strip()}\n"
    headings = [one.partition("\n")[0] for one in sections]
    if f"## {heading}" in headings:
        sections[headings.index(f"## {heading}")] = section
    else:
        sections.append(section)
    page.write_text("\n".join(part.rstrip("\n") + "\n" for part in (head, *sections)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Spell a table; all columns but the first are figures."""
    lines = [columns, ["---" if number == 0 else "---:" for number in range(len(columns))], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
