"""Finds, or makes on first use, the environments that hold Google's own SDK: one for each major version.

The SDK is a referee, so it lives apart from what it judges: this package is not installed beside it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

RELEASES = {3: "google-genai==3.6.1", 2: "google-genai==2.34.0"}
"""The newest release of each major version that the referee tests were written against."""

_HOME = Path(__file__).resolve().parents[2] / ".venvs"


def referee_python(major: int) -> Path:
    """Return the interpreter of the environment with google-genai ``major``.x.

    The first call makes it with uv (some 15 seconds with a cold cache); later calls only look. Processes that
    ask at the same time wait for each other.

    Raises:
        KeyError: no release of that major version is known here.
        RuntimeError: uv is not to be found, or could not install the SDK; its own words are in the message.
    """
    release = RELEASES[major]
    place = _HOME / f"genai-{major}"
    python = place / "bin" / "python"
    stamp = place / "ready"
    _HOME.mkdir(exist_ok=True)
    with (_HOME / f"genai-{major}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == release and python.exists()):
            _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
            _uv("pip", "install", "--quiet", "--python", str(python), release)
            stamp.write_text(release)
    return python


def _uv(*arguments: str) -> None:
    # An environment variable that names another environment must not redirect the installation.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    done = subprocess.run(
        [*_uv_command(), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = f"uv {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}"
        raise RuntimeError(msg)


def _uv_command() -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    if beside.exists():
        return [str(beside)]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    if found is None:
        msg = "uv is needed to make the SDK's environment: python -m pip install uv"
        raise RuntimeError(msg)
    return [found]
