"""What a public forge reads: workflows, forms, hooks. It calls what is here, under the names that are here."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT
from tests.matrix.cells import CELLS
from tests.matrix.extras import EXTRAS
from tests.packaging.release import problems

FORGE = ROOT / ".github"
MAKEFILE = (ROOT / "Makefile").read_text()
MAY_PUBLISH = {"release.yml": {"id-token": "write"}, "docs.yml": {"contents": "write"}}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def commands(workflow: str) -> list[str]:
    jobs = read(f".github/workflows/{workflow}")["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", ["ci.yml", "docs.yml", "release.yml"])
def test_workflows_run_what_the_repository_has(workflow: str) -> None:
    found = [command for command in commands(workflow) if not command.startswith("git ")]
    assert found
    for command in found:
        words = shlex.split(command)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", MAKEFILE, re.MULTILINE), command
        elif "-m" in command:
            module = re.findall(r"-m (\S+?)[\s)]", f"{command} ")[0].replace(".", "/")
            assert (ROOT / f"{module}.py").exists() or (ROOT / module / "__main__.py").exists(), command
        else:
            assert (ROOT / words[words[0] == "python3"]).exists(), command


def test_the_forge_tries_all_that_the_matrix_has() -> None:
    assert ".ci/run" in commands("ci.yml")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.matrix", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(ran.stdout) == [cell.name for cell in (*CELLS, *EXTRAS)]


def test_only_the_step_that_publishes_may_speak_for_the_project() -> None:
    for workflow in FORGE.glob("workflows/*.yml"):
        told = yaml.safe_load(workflow.read_text())
        assert told["permissions"] == {"contents": "read"}
        may = {name: job["permissions"] for name, job in told["jobs"].items() if "permissions" in job}
        assert may == {"publish": MAY_PUBLISH[workflow.name]} if workflow.name in MAY_PUBLISH else not may
        assert "secrets." not in workflow.read_text()


def test_every_action_is_one_commit_whose_version_is_said() -> None:
    for workflow in FORGE.glob("workflows/*.yml"):
        for action, pin in re.findall(r"uses: (\S+)@(.+)$", workflow.read_text(), re.MULTILINE):
            moves = action == "pypa/gh-action-pypi-publish"
            assert re.fullmatch("release/v1" if moves else r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), action


def test_a_step_that_may_write_to_the_repository_runs_nothing_that_an_index_delivered() -> None:
    steps = read(".github/workflows/docs.yml")["jobs"]["publish"]["steps"]
    assert [step["run"].split()[0] for step in steps if "run" in step] == ["python3", "git"]
    imported = re.findall(r"^(?:import|from) (\w+)", (ROOT / "docs" / "publish.py").read_text(), re.MULTILINE)
    assert {*imported} <= {*sys.stdlib_module_names}


def test_the_hooks_before_a_commit_are_the_linters_of_make_lint() -> None:
    (wanted,) = re.findall(r"^LINT := (.+)$", MAKEFILE, re.MULTILINE)
    linters = [command.replace("$(BIN)", ".venv/bin").removesuffix(" .") for command in wanted.split("; ")]
    assert [hook["entry"] for hook in read(".pre-commit-config.yaml")["repos"][0]["hooks"]] == [
        linter.replace("format --check", "format --check") for linter in linters
    ]


def test_every_form_asks_for_something_and_the_updates_know_where_to_look() -> None:
    forms = [path for path in FORGE.glob("ISSUE_TEMPLATE/*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for form in forms:
        told = yaml.safe_load(form.read_text())
        assert any(part.get("validations", {}).get("required") for part in told["body"])
    assert {update["package-ecosystem"] for update in read(".github/dependabot.yml")["updates"]} == {
        "pip", "github-actions",
    }  # fmt: skip


def test_a_release_that_is_not_ready_is_refused(tmp_path: Path) -> None:
    (tmp_path / "airflow_provider_genai_batch").mkdir()
    (tmp_path / "airflow_provider_genai_batch" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "pyproject.toml").write_text("https://github.com/OWNER/x\n")
    (tmp_path / "CHANGELOG.md").write_text("## [1.2.3] - unreleased\n")
    dist = tmp_path / "dist"
    dist.mkdir()
    assert len(problems("v1.2.4", dist, tmp_path)) == 4
    (tmp_path / "pyproject.toml").write_text("https://github.com/somebody/x\n")
    (tmp_path / "CHANGELOG.md").write_text("## [1.2.3] - 2026-12-01\n")
    for name in (
        "airflow_provider_genai_batch-1.2.3-py3-none-any.whl",
        "airflow_provider_genai_batch-1.2.3.tar.gz",
    ):
        (dist / name).touch()
    assert problems("v1.2.3", dist, tmp_path) == []
