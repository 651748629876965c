"""What the pages on migration say of others is what those have, and what they name here is there."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

from airflow.providers.common.ai.batch import results
from airflow.providers.common.ai.operators import llm_batch

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.operators import genai_batch
from tests.docs.pages import Page, code
from tests.docs.signatures import of_class, parameters

GOOGLE = Page("docs/how-to/migrate-from-google-provider.md")
COMMON_AI = Page("docs/how-to/migrate-from-llm-batch.md")
OURS = of_class(genai_batch.GenAIBatchOperator)
CREATE, EMBED = "GenAIGeminiCreateBatchJobOperator", "GenAIGeminiCreateEmbeddingsBatchJobOperator"


def google(module: str) -> ModuleType:
    """Import operators of the Google provider, which takes seconds: not in each process that collects tests."""
    return importlib.import_module(f"airflow.providers.google.cloud.operators.{module}")


def told(page: Page, title: str, first: str) -> dict[str, str]:
    return {code(row[0]): code(row[1]) for row in page.table(title, first)}


def of(operator: str | type) -> dict[str, str]:
    """Return the parameters of an operator, or of one of the Google provider's for Gemini by its name."""
    found = getattr(google("gen_ai"), operator) if isinstance(operator, str) else operator
    return parameters(inspect.unwrap(found.__init__))


def test_every_gemini_operator_for_batches_and_files_is_told() -> None:
    names = vars(google("gen_ai"))
    there = {name for name in names if name.startswith("GenAIGemini") and name.endswith("Operator")}
    assert told(GOOGLE, "## Operators", "Google provider").keys() == there


def test_every_parameter_of_the_operator_for_batches_is_told() -> None:
    rows = told(GOOGLE, "## GenAIGeminiCreateBatchJobOperator", "Parameter")
    assert rows.keys() == of(CREATE).keys()
    assert {ours for ours in rows.values() if ours} <= OURS.keys()


def test_the_parameters_that_only_the_operator_for_embeddings_has_are_told() -> None:
    rows = told(GOOGLE, "## GenAIGeminiCreateEmbeddingsBatchJobOperator", "Parameter")
    assert rows.keys() >= of(EMBED).keys() - of(CREATE).keys()
    assert rows.keys() <= of(EMBED).keys()
    assert {*rows.values()} <= OURS.keys()


def test_the_defaults_that_differ_are_those_that_are_told() -> None:
    theirs = of(CREATE)
    assert (theirs["wait_until_complete"], OURS["wait"]) == ("False", "True")
    assert (theirs["polling_interval"], OURS["poll_interval"]) == ("30", "60")


def test_the_operator_for_vertex_has_the_parameters_that_are_named() -> None:
    section = GOOGLE.section("## Batch jobs on Vertex AI")
    operator = google("vertex_ai.batch_prediction_job").CreateBatchPredictionJobOperator
    theirs = inspect.signature(operator.__init__).parameters
    named = {"gcs_source", "bigquery_source", "model_name", "job_display_name"}
    assert all(f"`{name}`" in section for name in named)
    assert named | {"gcs_destination_prefix", "bigquery_destination_prefix"} <= theirs.keys()


def test_every_parameter_of_llm_batch_is_told() -> None:
    rows = told(COMMON_AI, "## Parameters", "`LLMBatchOperator`")
    theirs = of(llm_batch.LLMBatchOperator)
    assert rows.keys() == theirs.keys()
    assert {ours for ours in rows.values() if ours} <= OURS.keys()
    assert (theirs["max_tokens"], theirs["timeout"]) == ("1024", str(24 * 60 * 60))


def test_every_field_of_its_rows_is_told() -> None:
    rows = told(COMMON_AI, "## Rows", "Field there")
    (theirs,) = [{*results._row_for_missing(0, custom_id_prefix="")}]
    assert rows.keys() == theirs
    assert {*rows.values()} <= ResultRow.model_fields.keys()


def test_every_status_of_its_rows_is_told() -> None:
    (status,) = [row[2] for row in COMMON_AI.table("## Rows", "Field there") if code(row[0]) == "status"]
    words: set[Any] = {*re.findall(r"`(\w+)`", status)}
    assert {value for name, value in vars(results).items() if name.startswith("STATUS_")} <= words


def test_the_pages_say_which_versions_they_were_written_for() -> None:
    for page, module in ((GOOGLE, "google"), (COMMON_AI, "common.ai")):
        version = __import__(f"airflow.providers.{module}", fromlist=["__version__"]).__version__
        assert f"{version}." in page.text or f"{version};" in page.text
