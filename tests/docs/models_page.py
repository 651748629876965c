"""The page of models, made of the table in the code: ``python -m tests.docs.models_page`` writes it."""

from __future__ import annotations

from airflow_provider_genai_batch.wire.catalog.matrix import MATRIX, PLACES, WAYS, Mark, State
from airflow_provider_genai_batch.wire.catalog.publishers import family_of, task_of
from tests.docs.pages import ROOT

NAME = "docs/reference/models.md"
_SIGNS = {State.YES: "yes", State.SILENT: "sent", State.CONFLICT: "sent, disputed", State.NO: "refused"}
_HEAD = """# Models

Which models run in batch jobs, where their requests are read from, where rows are written, and in which locations of
Vertex AI. A test makes this page from the table in the code, and asks the emulator for a job of each cell.

* **yes**: Google's pages say that it works.
* **sent**: Google's pages do not mention it. The job is sent, with a note in the log. If the service does not support
  it, it refuses to create the job, which costs nothing.
* **sent, disputed**: Google's pages contradict each other, as the note says. The job is sent.
* **refused**: the task fails before anything is sent, and the error says what to do instead.

Lists and files that are not in Cloud Storage are staged there, so they count as `gs://`.
"""
_FOOT = """
## The Gemini Developer API

It runs Gemini (`gemini-…`, `models/…`), its embedding models, and tuned models (`tunedModels/…`). Requests are inline
or in a file of its Files API, and rows come back the same way. It reads and writes neither `gs://` nor `bq://`, and has
no locations. Models of other publishers are refused.

## Not in a batch

These are refused by name (when the DAG is parsed, unless the name is a template): Imagen, Veo, Lyria, Mistral, Grok,
Claude 3 Haiku, and models of unknown publishers. Retired models are refused with the date: all of DeepSeek, Qwen, Kimi,
MiniMax, GLM and E5, Llama 3.3, and gpt-oss-20b on 2026-10-21; Jamba on 2026-02-27. Only the open models on Google's
list are accepted: Llama 4 and gpt-oss-120b.

Gemma and `multimodalembedding` are refused only on Vertex AI: when the DAG is parsed if the name is one of Vertex AI's
(`publishers/google/models/…`), and otherwise when the task begins, because the connection determines the service.

On Vertex AI, pictures are made only in 1K: other sizes are refused.
"""


def render() -> str:
    """Return the page."""
    lines = [
        _HEAD,
        "## Vertex AI\n",
        _row("Models", "Family", "Task", *(f"`{came}` to `{went}`" for came, went in map(_ends, WAYS))),
        _row(*["---"] * (3 + len(WAYS))),
        *(
            _row(
                one.name,
                family_of(one.example),
                task_of(one.example).value,
                *map(_sign, one.ways.values()),
            )
            for one in MATRIX
        ),
        "\n### Locations\n",
        _row("Models", *PLACES),
        _row(*["---"] * (1 + len(PLACES))),
        *(_row(one.name, *map(_sign, one.places.values())) for one in MATRIX),
        "\n### Why\n",
        _row("Models", "Reasons, and what to do", "Source"),
        _row(*["---"] * 3),
        *(_row(one.name, _notes(one.ways, one.places), one.source) for one in MATRIX),
        _FOOT,
    ]
    return "\n".join(lines)


def _ends(way: str) -> tuple[str, str]:
    came, _, went = way.partition(" to ")
    return came, went


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _sign(mark: Mark) -> str:
    return _SIGNS[mark.state]


def _notes(*cells: object) -> str:
    marks = [mark for some in cells for mark in some.values()]  # type: ignore[attr-defined]
    return "; ".join(dict.fromkeys(mark.note for mark in marks if mark.note))


if __name__ == "__main__":
    (ROOT / NAME).write_text(render(), encoding="utf-8")
