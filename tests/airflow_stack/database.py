"""Airflow's database in SQLite: made once for a version of Airflow, which takes ten seconds of CPU, then copied.

It lies in memory: each heartbeat of each component would else wait for the disk, and all others meanwhile for the lock.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.throwaway import folder, in_memory

_ROOT = Path(__file__).parents[2]
_FILES = ("airflow.cfg", "airflow.db")
_HOME = "{AIRFLOW_HOME}"


def place(home: Path) -> None:
    """Let the database of an ``AIRFLOW_HOME`` lie in memory."""
    database = home / _FILES[1]
    database.unlink(missing_ok=True)
    database.symlink_to(folder("genai-batch-stack", in_memory()) / database.name)


def copied(home: Path) -> bool:
    """Whether there was one to be copied into an ``AIRFLOW_HOME``, with the settings that Airflow writes beside it."""
    settings, database = (_kept() / name for name in _FILES)
    if not database.exists():
        return False
    (home / settings.name).write_text(settings.read_text().replace(_HOME, str(home)))
    shutil.copy(database, home)
    return True


def keep(home: Path) -> None:
    """Keep one that Airflow has just made, unless another process has kept one meanwhile."""
    settings, database = (home / name for name in _FILES)
    if [*database.resolve().parent.glob(f"{database.name}-*")]:  # it is not all in one file
        return
    _kept().parent.mkdir(exist_ok=True)
    copies = Path(tempfile.mkdtemp(dir=_kept().parent))
    (copies / settings.name).write_text(settings.read_text().replace(str(home), _HOME))
    shutil.copy(database, copies)
    try:
        copies.rename(_kept())
    except OSError:
        shutil.rmtree(copies)


def _kept() -> Path:
    return _ROOT / "build" / f"airflow-{version('apache-airflow-core')}"
