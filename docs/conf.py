"""How Sphinx makes the site of the pages: ``make docs``.

The root of the sources is the repository, so that links between README, pages, tests and the emulator's own page on its
fidelity are the same here as where the repository is read.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
# Airflow writes settings where it is imported for the first time.
os.environ.setdefault("AIRFLOW_HOME", str(ROOT / "build" / "docs-airflow"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")

# Autodoc loads modules twice, first as type checkers see them, when Airflow's models cannot be built.
import_module("airflow")

project = "airflow-provider-genai-batch"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "docs/**",
    "airflow_provider_genai_batch/emulator/FIDELITY.md",
]
exclude_patterns = [".*", "build", "dist", "tests", "example_dags", "docs/_templates", "docs/_static"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]

# Anchors are those that GitHub makes of headings.
myst_heading_anchors = 4
# Names in the docstrings stand in single backticks, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
# Which version's pages these are.
release = re.findall(
    r'^__version__ = "(.+)"$',
    (ROOT / "airflow_provider_genai_batch" / "__init__.py").read_text(),
    re.MULTILINE,
)[0]
html_title = f"{project} {release}"
# The theme's own, and the choice of a release, see docs/publish.py.
html_static_path = ["_static"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_search_scorer = str(ROOT / "docs" / "scorer.js")
html_copy_source = False
html_additional_pages = {"index": "redirect.html"}

_SECTION = re.compile(r"^## (.+)\n((?:.+\n|\n(?!#))*)", re.MULTILINE)
_fields: dict[str, list[str]] = {}
"""What is said about each field, while Napoleon is at work."""
_PAGE = re.compile(r"\]\(([^)#\s]+\.(?:md|rst))\)")


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make the navigation of what the index lists, section by section."""
    if docname != app.config.root_doc:
        return
    for title, text in _SECTION.findall(source[0]):
        pages = dict.fromkeys(_PAGE.findall(text))
        if pages:
            tree = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{tree}\n```\n"


def keep_plain(_app: Sphinx, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Put what is said about a field aside: Napoleon would take words before a colon for its type."""
    if what in ("attribute", "property", "data"):
        _fields[name] = [*lines]


def give_back(_app: Sphinx, _what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Put it where it was."""
    lines[:] = _fields.pop(name, lines)


def setup(app: Sphinx) -> None:
    """Connect the steps that are our own."""
    app.connect("source-read", add_navigation)
    app.connect("autodoc-process-docstring", keep_plain, priority=400)
    app.connect("autodoc-process-docstring", give_back, priority=600)
