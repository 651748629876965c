"""An environment for each client, under ``.venvs``: made on first use, kept until its requirements change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / ".venvs"


def python_of(name: str, requirements: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment.

    Args:
        name: What it is called.
        requirements: What it holds; the newest release of each.

    Raises:
        subprocess.CalledProcessError: The installation failed.
    """
    place = HOME / f"other-{name}"
    stamp = place / "ready"
    if not (stamp.exists() and json.loads(stamp.read_text()) == list(requirements)):
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *requirements)
        stamp.write_text(json.dumps(requirements))
    return place / "bin" / "python"


def version_of(python: Path, package: str) -> str:
    """Return which release of a package an environment holds."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def node_modules(package: str) -> Path:
    """Return a folder in which Node finds a package of npm.

    Raises:
        subprocess.CalledProcessError: The installation failed.
    """
    place = HOME / "other-node"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "node_modules" / package / "package.json").exists():
        npm = shutil.which("npm") or "npm"
        subprocess.run(
            [npm, "install", "--silent", "--no-fund", "--no-audit", package], cwd=place, check=True
        )
    return place


def node_version_of(place: Path, package: str) -> str:
    """Return which release of a package a folder of Node holds."""
    return str(json.loads((place / "node_modules" / package / "package.json").read_text())["version"])


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    command = [str(beside)] if beside.exists() else [sys.executable, "-m", "uv"]
    if not beside.exists() and find_spec("uv") is None:
        command = [shutil.which("uv") or "uv"]
    environment = {
        key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    subprocess.run([*command, *arguments], env=environment, check=True)
