"""Pages of Markdown taken apart: fenced blocks, tables, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`]*)`")
_FILE = re.compile(r"# (\S+\.py)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    where: str
    """Page and line, for messages."""

    @property
    def file(self) -> str:
        """The file that its first line names; empty for a snippet."""
        found = _FILE.match(self.text)
        return found[1] if found else ""


@dataclass(frozen=True)
class Page:
    """One page, by its path from the root."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            Block(found[1], found[2], f"{self.name}:{self.text.count(chr(10), 0, found.start()) + 1}")
            for found in _FENCE.finditer(self.text)
        ]

    @cached_property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What GitHub makes of the headings."""
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in self._headings}

    @property
    def _headings(self) -> list[str]:
        return _HEADING.findall(self.prose)

    def section(self, title: str) -> str:
        """Return the text below a heading, up to the next one of any level."""
        _, found, rest = f"\n{self.prose}".partition(f"\n{title}\n")
        assert found, f"{self.name} has no heading {title!r}"
        return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]

    def table(self, title: str, first: str) -> list[list[str]]:
        """Return the rows of the table below a heading whose first column is `first`."""
        header = f"| {first} |".replace("  ", " ")
        lines = self.section(title).splitlines()
        begin = next((at for at, line in enumerate(lines) if line.startswith(header)), None)
        assert begin is not None, f"{self.name} has no table of {first!r} below {title!r}"
        rows = []
        for line in lines[begin + 2 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip().strip("|").split(" |")])
        return rows


def code(cell: str) -> str:
    """Return what stands in backticks, the first of several; empty for a cell without."""
    found = _CODE.search(cell)
    return found[1] if found else ""


def all_pages() -> list[Page]:
    """Return README, CHANGELOG and everything in docs."""
    names = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [Page(name) for name in ("README.md", "CHANGELOG.md", *names)]
