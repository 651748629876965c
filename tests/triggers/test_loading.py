"""What the first trigger of a process loads."""

from __future__ import annotations

import subprocess
import sys

from airflow_provider_genai_batch.emulator import Emulator
from tests.operators.scenes import MODEL, client


def test_the_first_trigger_of_a_process_loads_off_the_event_loop(gemini: Emulator) -> None:
    with client() as service:
        name = service.create(MODEL, ["a"]).name
    code = f"""
import asyncio, sys, threading, time
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

heavy = {{f"airflow_provider_genai_batch.{{name}}" for name in ("client.polling.poller", "flows.watch", "models")}}
main_thread = set()

class Finder:
    def find_spec(self, module, *rest):
        if module in heavy:
            main_thread.add(threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Finder())

async def main():
    plan = dict(poll_interval=0.02, deadline=time.time() + 60, pending_deadline=time.time() + 60)
    async for event in GenAIBatchTrigger("genai_batch_default", [{name!r}], plan).run():
        assert event.payload["why"] == "ended", event.payload

asyncio.run(main())
sys.exit(main_thread != {{False}})
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
