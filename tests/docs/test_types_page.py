"""The page of types is what the table in the code says."""

from __future__ import annotations

from tests.docs.pages import Page
from tests.docs.types_page import NAME, render


def test_the_page_of_types_is_made_of_the_table() -> None:
    assert Page(NAME).text == render(), "run python -m tests.docs.types_page"
