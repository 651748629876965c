"""Runs a command that ends when its owner ends, in whatever way.

It is run as a file, not as a module, because it needs only the standard library and must start fast. The owner holds
the writing end of this program's standard input. When the owner ends, even by SIGKILL, the kernel closes it, and this
program ends the command. Linux's parent-death signal alone is not enough: it is sent when the *thread* that started the
child ends, and owners start their children from pools of threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_SECONDS_TO_END = 5


def main(command: list[str]) -> int:
    """Run the command until it or the owner ends.

    Args:
        command: Program and arguments.

    Returns:
        The command's exit status.
    """
    on_linux = sys.platform.startswith("linux")
    # This process has one thread here, so code between fork and exec is safe.
    child = subprocess.Popen(  # noqa: S603 - the command is the owner's
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_end_with_parent if on_linux else None,  # noqa: PLW1509
    )
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_parent() -> None:
    """Make Linux kill the command if this program is killed; its main thread lives as long as the program."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(child: subprocess.Popen[bytes]) -> None:
    """End the command when standard input ends."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.terminate()
    try:
        child.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
