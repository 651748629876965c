"""The pages of the built site taken apart: what they link to and what can be linked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_ADDRESSES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}


@dataclass
class SitePage(HTMLParser):
    """One page of HTML."""

    path: Path
    links: list[str] = field(default_factory=list)
    """What a reader may follow."""
    loaded: list[str] = field(default_factory=list)
    """What a browser fetches by itself."""
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.anchors.add(values["id"])
        address = values.get(_ADDRESSES.get(tag, ""))
        if address:
            (self.links if tag == "a" else self.loaded).append(address)


def read_site(folder: Path) -> dict[Path, SitePage]:
    """Return all pages by their path."""
    return {path: SitePage(path) for path in sorted(folder.rglob("*.html"))}
