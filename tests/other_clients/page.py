"""The page of the documentation that says which clients complete."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from tests.other_clients.clients import Client
from tests.other_clients.run import Finding

_HEAD = """# Other people's clients

Clients that know nothing of this package, unchanged and in their newest releases, against the
[emulator](emulator.md). Each was written by people who use the real service, so each is an independent check of the
emulator. A client completes if it submits three rows, carries out all its steps with the job, and reads three right
answers. Written by `make referees` on {day}.

| Client | Service | What is tried | Pointed at the emulator by | Completes |
|---|---|---|---|---|
"""

_TAIL = """
*Google's hosts on loopback* is a proxy in front of the emulator that has a certificate for each host that a client
calls: the client believes that it calls `generativelanguage.googleapis.com`. No call leaves the machine.

google-genai for Python is not in this table: its newest release and an older one complete in `make test`, in
[tests of their own](../../tests/referee/test_sdk_completes.py).
"""

_LONGEST = 300


def page(found: Iterable[tuple[Client, Finding]]) -> str:
    """Return the page."""
    rows = []
    why = []
    for client, finding in found:
        said = "yes" if finding.completes else "no"
        name = f"{client.package} {finding.version}"
        rows.append(f"| {name} | {client.service} | {client.does} | {client.how} | {said} |\n")
        if not finding.completes:
            reason = client.why_not or f"its last words are `{_last_words(finding.output)}`"
            why.append(f"* **{client.package}** on {client.service}: {reason}\n")
    day = dt.datetime.now(dt.timezone.utc).date().isoformat()
    reasons = "\n## Why others do not\n\n" + "".join(why) if why else ""
    return _HEAD.format(day=day) + "".join(rows) + reasons + _TAIL


def _last_words(output: str) -> str:
    """Return the last line of an output that says something, without paths of this machine."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    text = re.sub(r"/(?:tmp|home|work|root)/\S*/", "…/", lines[-1] if lines else "nothing")
    return text.replace("`", "'").replace("|", "/")[:_LONGEST]
