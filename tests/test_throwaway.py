"""What tests keep in memory does not stay there after they were killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.throwaway import folder

MAKE = """
import os, signal, sys
from pathlib import Path
from tests.throwaway import folder

print(folder("a-home", Path(sys.argv[1])), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif sys.argv[2] == "waits":
    sys.stdin.read()
"""


def start(parent: Path, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(parent), end],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def made_by(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_process_and_one_of_a_killed_process_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "a-home-of-nobody").mkdir()
    with start(tmp_path, "ends") as over:
        gone = made_by(over)
        over.communicate()
    with start(tmp_path, "waits") as going, start(tmp_path, "killed") as killed:
        used, left = made_by(going), made_by(killed)
        killed.wait()
        assert (gone.exists(), used.exists(), left.exists()) == (False, True, True)
        mine = folder("a-home", tmp_path)
        assert (used.exists(), left.exists()) == (True, False)
        assert (tmp_path / "a-home-of-nobody").exists()
        assert mine.is_dir()
        going.communicate()
    assert not used.exists()
