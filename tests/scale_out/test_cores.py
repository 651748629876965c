"""Processes with a share of a core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scale_out import cores


def test_a_process_is_in_the_group_as_long_as_the_group_is_there() -> None:
    if not cores.allowed():
        pytest.skip("this user may not make control groups")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        groups = Path(f"/proc/{process.pid}/cgroup")
        before = groups.read_text()
        with cores.share(0.5) as enter:
            enter([process.pid])
            assert "/genai-batch-" in groups.read_text()
        assert groups.read_text() == before
        assert process.stdin is not None
        process.stdin.close()
