"""The page of models is what the table in the code says."""

from __future__ import annotations

from tests.docs.models_page import NAME, render
from tests.docs.pages import Page


def test_the_page_of_models_is_made_of_the_table() -> None:
    assert Page(NAME).text == render(), "run python -m tests.docs.models_page"
