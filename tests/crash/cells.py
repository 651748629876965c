"""The cells whose injections are chosen, not come upon."""

from __future__ import annotations

from itertools import product

from airflow_provider_genai_batch.emulator import Fault
from tests.crash.plan import (
    BACKENDS,
    DOWNLOAD,
    JOBS,
    LANDING,
    LISTS,
    MODES,
    PROMPT,
    SECONDS,
    UPLOAD,
    Cell,
    Injection,
    Trouble,
    create,
)

_PUBLICATION = ("rows: written, not published", "rows: published")
_CREATED = ("not sent", "half sent", "sent, reply not read", "reply read")


def explorations() -> list[Cell]:
    """Return one cell of each kind that is run until nobody comes upon a step at which nobody has died.

    First attempts are explored, and the attempts after three deaths: before anything was created, after the job was
    created but before its name was read, and while its rows were landing. Besides, runs die four times in a row.
    """
    found = hardships()
    for backend, mode, lag in product(BACKENDS, MODES, (PROMPT, LISTS)):
        sources = ("file", "inline") if backend == "gemini" else ("file",)
        for source in sources:
            pool = f"{backend} {mode} {source} {lag}"
            kind = {"backend": backend, "mode": mode, "source": source, "lag": lag}
            found.append(Cell(**kind, pool=pool, lives=1, fine=True))
            if source == "inline":
                continue
            deaths = [create(backend, "not sent"), create(backend, "sent, reply not read")]
            if not lag:  # a job whose rows land is in every list by then
                deaths.append(Injection(f"{DOWNLOAD[backend]}: half read", part=LANDING[mode]))
            found += [
                Cell(**kind, injections=(death,), pool=f"{pool} {number}", lives=1, fine=True)
                for number, death in enumerate(deaths)
            ]
    return found


def hardships() -> list[Cell]:
    """Return one cell for each service and mode whose runs die up to four times, at steps new to their service."""
    lags = (PROMPT, LISTS, LISTS, PROMPT)
    kinds = zip(product(BACKENDS, MODES), lags, strict=True)
    return [Cell(backend, mode, lag=lag, pool=backend, lives=4) for (backend, mode), lag in kinds]


def supervisors() -> list[Cell]:
    """Return cells whose supervisor dies, with its task or leaving it behind as an orphan."""
    return [
        Cell(backend, mode, (Injection(step, victim, part),), lag=lag)
        for backend, mode, victim, lag in product(
            BACKENDS, MODES, ("worker", "supervisor"), (PROMPT, SECONDS)
        )
        for part, step in _moments(backend, mode)
        if not lag or ".create: " in step
    ]


def orphans() -> list[Cell]:
    """Return cells whose task's process stands still until the next attempt has begun, and then goes on beside it."""
    return [
        Cell(backend, mode, (Injection(step, "stalled", part),))
        for backend, mode in product(BACKENDS, MODES)
        for part, step in _moments(backend, mode)
    ]


def connections() -> list[Cell]:
    """Return cells in which nobody dies, but a connection of the task is cut while something is on its way."""
    found = []
    for backend, mode in product(BACKENDS, MODES):
        steps = [
            ("execute", f"{UPLOAD[backend]}: {phase}") for phase in ("half sent", "sent, reply not read")
        ]
        steps += [
            ("execute", f"{JOBS[backend]}.create: {phase}") for phase in ("half sent", "sent, reply not read")
        ]
        steps += [
            (LANDING[mode], f"{DOWNLOAD[backend]}: {phase}")
            for phase in ("sent, reply not read", "half read")
        ]
        found += [Cell(backend, mode, (Injection(step, "connection", part),)) for part, step in steps]
    return found


def troubles() -> list[Cell]:
    """Return cells in which nobody dies, but the service is in trouble."""
    found = []
    for backend, mode, lag in product(BACKENDS, MODES, (PROMPT, SECONDS)):
        jobs = JOBS[backend]
        for name, fault in _ANSWERS_TO_CREATE.items():
            trouble = Trouble(f"{jobs}.create: {name}", f"{jobs}.create", fault)
            found.append(Cell(backend, mode, troubles=(trouble,), lag=lag))
        if lag:
            continue
        for name, fault in _ANSWERS_TO_LOOKS.items():
            found.append(
                Cell(backend, mode, troubles=(Trouble(f"{jobs}.get: {name}", f"{jobs}.get", fault),))
            )
            listed = Trouble(f"{jobs}.list: {name}", f"{jobs}.list", fault)
            found.append(Cell(backend, mode, (create(backend, "sent, reply not read"),), (listed,)))
        for method, name, fault in _FILES if backend == "gemini" else _TOKENS:
            found.append(Cell(backend, mode, troubles=(Trouble(f"{method}: {name}", method, fault),)))
    return found


def _moments(backend: str, mode: str) -> list[tuple[str, str]]:
    """Return the steps at which a supervisor dies: where something outside has just changed, or is about to."""
    landing = LANDING[mode]
    return [
        ("execute", "execute: begins"),
        ("execute", f"{UPLOAD[backend]}: half sent"),
        *(("execute", f"{JOBS[backend]}.create: {phase}") for phase in _CREATED),
        (landing, f"{DOWNLOAD[backend]}: half read"),
        *((landing, step) for step in _PUBLICATION),
        (landing, f"{landing}: returns"),
    ]


_ANSWERS_TO_CREATE = {
    "acted upon, reply lost": Fault.lost_reply(),
    "acted upon, 503": Fault.error(503, acted=True),
    "acted upon, unreadable reply": Fault.unreadable(),
    "dropped": Fault.drop(),
    "500 twice": Fault.error(500, times=2),
    "503 twice": Fault.error(503, times=2),
}
_ANSWERS_TO_LOOKS = {
    "500 three times": Fault.error(500, times=3),
    "503 three times": Fault.error(503, times=3),
    "dropped twice": Fault.drop(times=2),
}
_FILES = (
    ("files.start", "503 twice", Fault.error(503, times=2)),
    ("files.upload", "bytes lost, connection dropped", Fault.lost_chunk()),
    ("files.upload", "complete, reply lost", Fault.lost_final_reply()),
    ("files.download", "503 twice", Fault.error(503, times=2)),
    ("files.download", "truncated", Fault.truncated()),
)
_TOKENS = (("oauth.token", "503 twice", Fault.error(503, times=2)),)
