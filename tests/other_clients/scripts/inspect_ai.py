"""An evaluation of inspect_ai whose model calls go through its batches."""

from __future__ import annotations

import os

# This file is called like the package; its folder is first where modules are looked for.
import sys
from pathlib import Path

sys.path.pop(0)

from inspect_ai import Task, eval  # noqa: A004 - its own name for it
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes

SAMPLES = [Sample(input=f"say {number}", target=f"Answer to: say {number}") for number in range(3)]

(log,) = eval(
    Task(dataset=SAMPLES, scorer=includes()),
    model="google/gemini-2.5-flash",
    batch={"size": 3, "send_delay": 1, "tick": 1},
    log_dir=str(Path(os.environ["HOME"]) / "logs"),
    display="none",
)
if log.status != "success":
    raise SystemExit(f"{log.status}: {log.error.message if log.error else ''}")
assert log.results is not None
right = round(log.results.scores[0].metrics["accuracy"].value * len(SAMPLES))
print(f"right: {right} of {len(SAMPLES)}")
