"""Which clients there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """One client, on one of the services.

    Attributes:
        name: Its file in ``scripts``.
        package: What it is called in its registry; that of npm for a script of Node.
        service: Which service it is asked to use.
        does: What is tried.
        how: How it is pointed at the emulator.
        beside: Further requirements.
        why_not: Why it does not complete, as far as that is known; without it its last words are shown.
    """

    name: str
    package: str
    service: str
    does: str
    how: str
    beside: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.package.startswith("@")


_HOSTS = "Google's hosts on loopback"
GEMINI = "Gemini API"
VERTEX = "Vertex AI"

CLIENTS = (
    Client(
        "inspect_ai",
        "inspect-ai",
        GEMINI,
        "an evaluation of three samples, batched",
        _HOSTS,
        ("google-genai",),
    ),
    Client(
        "pydantic_ai",
        "pydantic-ai-slim",
        GEMINI,
        "three runs of an agent, batched",
        _HOSTS,
        ("pydantic-ai-slim[google]",),
    ),
    Client(
        "litellm_gemini",
        "litellm",
        GEMINI,
        "file, batch, results",
        _HOSTS,
        ("google-auth", "requests"),
        "it uploads rows in the shape of OpenAI's API (`custom_id`, `method`, `url`, `body`), and its source says that "
        "the service takes them. No page of Google's says so; the emulator refuses the fields, each line by name",
    ),
    Client("litellm_vertex", "litellm", VERTEX, "file, batch, results", _HOSTS, ("google-auth", "requests")),
    Client(
        "curator",
        "bespokelabs-curator",
        VERTEX,
        "three rows of a data set, batched",
        _HOSTS,
        (),
        "it uploads its rows and then creates the job over gRPC, which the emulator does not speak; it has no setting "
        "for REST",
    ),
    Client(
        "aiplatform",
        "google-cloud-aiplatform",
        VERTEX,
        "submit, wait, list, cancel and delete by REST",
        _HOSTS,
    ),
    Client(
        "google_genai",
        "@google/genai",
        GEMINI,
        "inline and file jobs, embeddings, list, cancel, delete",
        "`GOOGLE_GEMINI_BASE_URL`",
    ),
    Client(
        "airflow_gemini",
        "apache-airflow-providers-google",
        GEMINI,
        "operators that create, get, list, cancel and delete a job",
        _HOSTS,
        ("apache-airflow",),
    ),
    Client(
        "airflow_vertex",
        "apache-airflow-providers-google",
        VERTEX,
        "`CreateBatchPredictionJobOperator`",
        _HOSTS,
        ("apache-airflow",),
        "its hook creates the job over gRPC, which the emulator does not speak; the operator has no setting for REST, "
        "which google-cloud-aiplatform below it has",
    ),
)
