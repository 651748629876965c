"""The environment of the peers: it lives apart, so that neither side's versions decide the other's."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from tests.referee.environments import _HOME, _uv

PEER = "apache-airflow-providers-common-ai"
VERSION = "1.0.0"
_REQUIREMENTS = (
    f"{PEER}[openai]=={VERSION}",
    "apache-airflow-providers-openai==2.2.0",
    "apache-airflow==3.3.2",
)


def peer_python() -> Path:
    """Return the interpreter of the environment with the peer; the first call makes it, in some ten seconds."""
    place, wanted = _HOME / "common-ai", "\n".join(_REQUIREMENTS)
    python, ready = place / "bin" / "python", place / "ready"
    _HOME.mkdir(exist_ok=True)
    with (_HOME / "common-ai.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (ready.exists() and ready.read_text() == wanted and python.exists()):
            _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
            _uv("pip", "install", "--quiet", "--python", str(python), *_REQUIREMENTS)
            ready.write_text(wanted)
    return python
