"""Run other people's clients against the emulator: ``python -m tests.other_clients [PAGE] [--only NAME]``.

Makes environments under ``.venvs`` (some gigabytes), so it is no part of ``make test``. With a page it writes the
table there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.other_clients.clients import CLIENTS, Client
from tests.other_clients.page import page
from tests.other_clients.run import BUCKET, Finding, run


def main() -> int:
    """Run them all.

    Returns:
        0; the table says the rest.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="where the table is written")
    parser.add_argument("--only", default="", help="clients whose name contains this")
    options = parser.parse_args()
    found: list[tuple[Client, Finding]] = []
    with CloudStorage() as storage:
        storage.create_bucket(BUCKET)
        for client in CLIENTS:
            if options.only in client.name:
                finding = run(client, storage)
                found.append((client, finding))
                say(f"{client.name} {finding.version}: {'completes' if finding.completes else 'does not'}")
                if not finding.completes:
                    say(f"{finding.output[-3000:]}\nnot here: {finding.refused}; calls: {finding.calls}")
    if options.page:
        options.page.write_text(page(found))
    return 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - a command talks


if __name__ == "__main__":
    sys.exit(main())
