"""Small inputs, in `lines`, with the verdict that each is to get by every door."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from airflow_provider_genai_batch.models.base import Backend

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
EMBEDS = "gemini-embedding-001"
FLASH = "gemini-2.5-flash"
_FOLDER = Path(__file__).with_name("lines")


def lines(name: str) -> list[str]:
    """Return the lines of a case."""
    return (_FOLDER / f"{name}.jsonl").read_text().splitlines()


class Refused(NamedTuple):
    """A line that is refused, the words that say what is wrong, and those of the remedy."""

    name: str
    backend: Backend
    line: str
    reason: str
    remedy: str
    model: str = FLASH


_BOTH = (GEMINI, VERTEX)
_REFUSED = [
    ("field_beside_contents", _BOTH, "thinking_config", "Put it into generationConfig"),
    ("temperature_beside_contents", _BOTH, "temperature", "Put it into generationConfig"),
    ("generation_config_typo", _BOTH, "maxTokens", "Did you mean maxOutputTokens"),
    ("cached_in_generation_config", (GEMINI,), "cachedContent", "Put it beside contents"),
    ("cached_in_generation_config", (VERTEX,), "cachedContent", "Leave it out"),
    ("role_assistant", _BOTH, "assistant", "model"),
    ("openai_content", _BOTH, "content", "parts"),
    ("files_uri_on_vertex", (VERTEX,), "Vertex AI cannot read", "Copy the file to Cloud Storage"),
    ("gs_uri_on_gemini", (GEMINI,), "cannot read gs://b/a.jpg", "Upload the file with the Files API"),
    ("cached_content_on_vertex", (VERTEX,), "cachedContent does not work", "Put what is cached into"),
    ("other_model", _BOTH, "models/gemini-2.5-pro", "Make one job for each model"),
    ("both_spellings", _BOTH, "generationConfig is given twice", "Keep one"),
    ("schema_type_underscore", _BOTH, "type_", "Did you mean type?"),
    ("embed_unknown_field", _BOTH, "taskTypo", "Did you mean taskType"),
    ("seed_of_33_bits", _BOTH, "generationConfig.seed is a number of more than 32 bits", "Write one from"),
    (
        "config_beside_request",
        _BOTH,
        "unknown field 'generation_config' beside request",
        "Put it into request",
    ),
    ("embed_both_spellings", _BOTH, "taskType is given twice", "Keep one"),
    ("embed_no_parts", _BOTH, "content has no parts", "Give at least one part"),
    ("content_in_a_list", _BOTH, "is a Content, and a part is due", "Take it out of the inner list"),
    ("response_of_the_user", (VERTEX,), "'response' is one of Vertex AI's output", "Rename it"),
    ("no_name", (VERTEX,), "the name '' in the row is one that Vertex AI cannot import", "Rename it"),
    ("file_elsewhere", (GEMINI,), "cannot read a file by 's3:'", "Upload the file with the Files API"),
    ("file_elsewhere", (VERTEX,), "cannot read a file by 's3:'", "Copy the file to Cloud Storage"),
]
REFUSED = [
    Refused(name, backend, lines(name)[0], reason, remedy, EMBEDS if name.startswith("embed") else FLASH)
    for name, backends, reason, remedy in _REFUSED
    for backend in backends
]
TAKEN = {
    "system_instruction_list": {"systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"}},
    "system_instruction_contents": {"systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"}},
    "parts_string": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
"""Lines that both services get in another spelling than they came in, and what the request has then."""
BESIDE = ("custom_id", "url", "prompt")
"""Lines with a field beside the request, which Vertex AI takes."""
OUTPUT = lines("resume_output")
"""Lines that a job on Vertex AI wrote: one is answered, one failed."""
