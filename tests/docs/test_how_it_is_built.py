"""The page of the house names every package, every layer and files that are there, and answers ten questions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import airflow_provider_genai_batch
from tests.docs.pages import ROOT, Page, code

PAGE = Page("docs/explanation/how-it-is-built.md")
PACKAGE = Path(airflow_provider_genai_batch.__file__).parent
QUESTIONS = {
    "Where is a task's outcome decided?": ("flows/outcome/settle.py", "settle"),
    "Where is a job looked for before it is created?": ("flows/submission/submit.py", "submit"),
    "Where are the operator's and the client's job parameters read?": (
        "client/job_params.py",
        "read_job_params",
    ),
    "Where is it decided which models run in batch, and where?": ("wire/catalog/matrix.py", "check_places"),
    "Where is a job cancelled, and what if it has ended meanwhile?": ("client/jobs.py", "cancel_job"),
    "Where is the job's display name, which says whose it is?": ("models/jobs/identity.py", "Identity"),
    "Where is a row joined with its request?": ("results/keys/key_match.py", "KeyMatcher"),
    "Where do seconds between looks come from?": ("flows/cadence.py", "cadence"),
    "Where are HTTP errors mapped to exceptions?": ("wire/services/errors.py", "api_error"),
    "Where does an attempt meet Airflow?": ("operators/task_port.py", "OperatorPort"),
}
_PATH = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`")


def test_every_package_is_listed_once_and_no_other() -> None:
    packages = [f"{path.parent.relative_to(PACKAGE).as_posix()}/" for path in PACKAGE.rglob("__init__.py")]
    listed = [code(package) for package, _ in PAGE.table("## Packages", "Package")]
    assert sorted(listed) == sorted(set(packages) - {"./"})


def test_a_package_has_one_sentence_or_two() -> None:
    for package, sentence in PAGE.table("## Packages", "Package"):
        assert sentence.endswith("."), package
        assert len(sentence) <= 120, package


def test_the_layers_are_those_of_the_contract() -> None:
    contract = (ROOT / "pyproject.toml").read_text().partition('name = "Imports go down only"')[2]
    layers = re.findall(r'"([a-z_| ]+)"', contract.partition("layers = [")[2].partition("]")[0])
    (block,) = PAGE.blocks
    assert block.text.splitlines() == layers


def test_every_package_at_the_top_has_its_layer() -> None:
    (block,) = PAGE.blocks
    layers = set(re.findall(r"\w+", block.text))
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    beside = {"emulator", "testing"}  # they have contracts of their own
    assert packages - beside <= layers


def test_every_path_of_the_page_is_there() -> None:
    paths = _PATH.findall(PAGE.prose)
    assert len(paths) > 50
    missing = [path for path in paths if not (PACKAGE / path).exists()]
    assert not missing


def test_the_page_answers_the_ten_questions() -> None:
    answers = {
        question: (code(file), code(name))
        for question, file, name in PAGE.table("## Where is it?", "Question")
    }
    assert answers == QUESTIONS


@pytest.mark.parametrize(("file", "name"), QUESTIONS.values(), ids=lambda value: value)
def test_what_answers_a_question_is_defined_in_its_file(file: str, name: str) -> None:
    defined = {getattr(node, "name", "") for node in ast.parse((PACKAGE / file).read_text()).body}
    assert name in defined


def test_there_are_at_most_twenty_packages_at_the_top() -> None:
    assert len([*PACKAGE.glob("*/__init__.py")]) <= 20


def test_a_word_has_one_meaning() -> None:
    words = [word for word, _ in PAGE.table("## Words", "Word")]
    assert words
    assert len(words) == len(set(words))


def test_no_file_says_what_it_does_in_words_of_its_own() -> None:
    retired = re.compile(r"\b(errand|wave|taken|books|told|marks|rolls|glimpse|sight)\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in path.read_text().splitlines()
        if retired.search(line) and not ('"audio/wave"' in line or 'b"RIFF"' in line)  # kinds of media
    ]
    assert not found
