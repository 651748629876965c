"""Airflow's database in SQLite: made once for a version of Airflow, which takes ten seconds of CPU, then copied."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FILES = ("airflow.cfg", "airflow.db")
_HOME = "{AIRFLOW_HOME}"


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
    if [*home.glob(f"{database.name}-*")]:  # it is not all in one file
        return
    _kept().parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=_kept().parent))
    (folder / settings.name).write_text(settings.read_text().replace(str(home), _HOME))
    shutil.copy(database, folder)
    try:
        folder.rename(_kept())
    except OSError:
        shutil.rmtree(folder)


def _kept() -> Path:
    return _ROOT / "build" / f"airflow-{version('apache-airflow-core')}"
