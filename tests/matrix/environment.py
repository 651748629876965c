"""Environments with the wheel in them, below ``build/matrix``; the checkout's own package cannot be imported there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.matrix.cells import Cell

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "matrix"
_EXTRAS = ("bigquery", "emulator", "parquet", "prices")
_TOOLS = (
    "hypothesis>=6.130",
    "psycopg2-binary>=2.9",
    "pytest>=8.4",
    "pytest-asyncio>=1.1",
    "statsd>=4.0",
    "tomli; python_version < '3.11'",
)
"""What the tests themselves import."""
_NEEDED = ("tests", "example_dags", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")


class NoPython(RuntimeError):
    """That Python is not on this machine, and uv could not fetch it."""


@cache
def wheel() -> Path:
    """Build the wheel."""
    place = HOME / "dist"
    shutil.rmtree(place, ignore_errors=True)
    return build("wheel", ROOT, place)


def build(kind: str, source: Path, place: Path) -> Path:
    """Build a distribution.

    Args:
        kind: ``wheel`` or ``sdist``.
        source: a folder, or a source distribution.
        place: where it goes, an empty folder or none.
    """
    _uv("build", f"--{kind}", "--quiet", "--out-dir", str(place), str(source))
    (built,) = place.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@cache
def away() -> Path:
    """Copy the tests, and what they read, to a folder from which the checkout's package is out of reach."""
    place = HOME / "away"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in _NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place)
    return place


def python_of(cell: Cell) -> Path:
    """Return the interpreter of a cell's environment, which is made where it is not there as it should be.

    Raises:
        NoPython: its Python is not to be had.
    """
    place = HOME / cell.name
    python, stamp = place / "bin" / "python", place / "ready"
    wanted = _fingerprint(cell)
    if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
        try:
            _uv("venv", "--quiet", "--clear", "--python", cell.python, str(place))
        except subprocess.CalledProcessError as error:
            raise NoPython(error.stderr.strip()) from error
        _install(cell, python)
        stamp.write_text(wanted)
    _pip(python, "--no-deps", "--reinstall", str(wheel()))
    _uv("pip", "check", "--quiet", "--python", str(python))
    return python


def with_extra(extra: str, python: str, wheel: Path, place: Path) -> Path:
    """Make an environment with the wheel and one extra, as a user would; return its interpreter.

    Args:
        extra: its name; empty: none.
        python: its version.
        wheel: the package.
        place: a folder, which is made anew.

    Raises:
        NoPython: that Python is not to be had.
    """
    try:
        _uv("venv", "--quiet", "--clear", "--python", python, str(place))
    except subprocess.CalledProcessError as error:
        raise NoPython(error.stderr.strip()) from error
    interpreter = place / "bin" / "python"
    _pip(interpreter, f"{wheel}[{extra}]" if extra else str(wheel))
    _uv("pip", "check", "--quiet", "--python", str(interpreter))
    return interpreter


def _install(cell: Cell, python: Path) -> None:
    """Install what the wheel asks for and the tests' tools, not the wheel."""
    ours = ["--requirements", str(ROOT / "pyproject.toml")]
    ours += [word for extra in _EXTRAS for word in ("--extra", extra)]
    if cell.airflow:
        _pip(python, *ours, f"apache-airflow=={cell.airflow}", *cell.pins, *_TOOLS)
    else:
        _pip(python, "--resolution", "lowest-direct", *ours)
        _pip(python, *_TOOLS)


def _fingerprint(cell: Cell) -> str:
    told = repr((cell, _EXTRAS, _TOOLS)).encode() + (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(told).hexdigest()


def _pip(python: Path, *arguments: str) -> None:
    _uv("pip", "install", "--quiet", "--python", str(python), *arguments)


def _uv(*arguments: str) -> None:
    # An environment variable that names another environment must not redirect the installation.
    environment = {name: it for name, it in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    # Those that pyenv has installed and not chosen are there all the same.
    others = (str(place) for place in Path.home().glob(".pyenv/versions/*/bin"))
    environment["PATH"] = os.pathsep.join((environment.get("PATH", ""), *others))
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE, text=True, cwd=ROOT)
