"""Sections of a page, each written by a command of its own."""

from __future__ import annotations

import re


def put(page: str, part: str) -> str:
    """Put a section into a page, in the place of the one of its title, else before the last one.

    Args:
        page: Its text.
        part: The section; it begins with its title, as ``## Title``.
    """
    title = part.partition("\n")[0]
    if title in page.splitlines():
        return page.replace(section(page, title), f"{part.rstrip()}\n")
    before, last = page.rsplit("\n## ", 1)
    return f"{before.rstrip()}\n\n{part.rstrip()}\n\n## {last}"


def section(page: str, title: str) -> str:
    """Return the section of a title, up to the line before the next one; nothing where there is none."""
    found = re.search(rf"^{re.escape(title)}$.*?(?=\n## |\Z)", page, re.MULTILINE | re.DOTALL)
    return f"{found[0].rstrip()}\n" if found else ""
