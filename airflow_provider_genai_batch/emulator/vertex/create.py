"""Checks the body of a batchPredictionJobs create call; buckets and rows are checked later, when the job runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import Json, JsonObject, known_only, words
from airflow_provider_genai_batch.emulator.switches import Switches
from airflow_provider_genai_batch.emulator.vertex.models import CLAUDE, EMBED, OPEN, check_model, family_of

FIELDS = words(
    "name displayName model inputConfig instanceConfig outputConfig modelParameters labels "
    "dedicatedResources manualBatchTuningParameters serviceAccount encryptionSpec "
    "disableContainerLogging generateExplanation explanationSpec unmanagedContainerModel "
    "modelVersionId"
)
"""The fields of the resource that a caller may send."""

_UNSUPPORTED = ("serviceAccount", "encryptionSpec", "dedicatedResources", "unmanagedContainerModel")
_SILENT = frozenset({"serviceAccount", "encryptionSpec"})
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]*")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]*")
_MOST_LABELS = 64
_LONGEST_LABEL = 63
_LONGEST_NAME = 128
_TABLE = re.compile(r"bq://[\w-]+(?:\.[\w-]+){2}")
_DESTINATION = re.compile(r"bq://[\w-]+(?:\.[\w-]+){0,2}")
_OBJECT = re.compile(r"gs://[^/]+/.+")
_PREFIX = re.compile(r"gs://[^/]+(?:/.*)?")


def checked(body: JsonObject, location: str, switches: Switches) -> JsonObject:
    """Return the resource in one spelling.

    Args:
        body: The body of the call.
        location: The location of the job.
        switches: A test's choices about the service.

    Raises:
        ApiError: 400 if something is missing or wrong, 404 for an unknown model.
    """
    name = body.get("displayName")
    if not isinstance(name, str) or not name.strip():
        raise ApiError(400, "BatchPredictionJob.displayName is required.")
    if len(name) > _LONGEST_NAME:
        message = f"BatchPredictionJob.displayName must be at most {_LONGEST_NAME} characters."
        raise ApiError(400, message)
    result = {key: value for key, value in body.items() if key != "name"}
    if "model" not in body:
        raise ApiError(400, "Either model or unmanagedContainerModel is required.")
    result["model"] = check_model(body["model"], location, switches)
    family = family_of(result["model"])
    for field in _UNSUPPORTED:
        # Google's pages say nothing about service accounts and the user's own encryption keys for partner models.
        if field in body and (family not in {CLAUDE, OPEN} or field not in _SILENT):
            message = f"{field} is not supported for batch prediction with Gemini models."
            raise ApiError(400, message)
    result["inputConfig"] = _input(body.get("inputConfig"))
    result["outputConfig"] = _output(body.get("outputConfig"))
    if family == EMBED and "bigquery" in {
        result["inputConfig"]["instancesFormat"],
        result["outputConfig"]["predictionsFormat"],
    }:
        raise ApiError(400, "BigQuery is not supported for batch prediction with Gemini embedding models.")
    if "labels" in body:
        _labels(body["labels"])
    return result


def _input(value: Json) -> JsonObject:
    if value is None:
        raise ApiError(400, "BatchPredictionJob.inputConfig is required.")
    where = "input_config"
    config = known_only(
        value, {"instancesFormat", "gcsSource", "bigquerySource", "vertexMultimodalDatasetSource"}, where
    )
    kind = config.get("instancesFormat")
    if set(config) == {"instancesFormat", "gcsSource"} and kind == "jsonl":
        uris = known_only(config["gcsSource"], {"uris"}, f"{where}.gcs_source").get("uris")
        # Some of Google's own samples send one string, although the type is a list.
        uris = [uris] if isinstance(uris, str) else uris
        if not isinstance(uris, list) or not uris or not all(_matches(_OBJECT, uri) for uri in uris):
            message = f"Invalid Cloud Storage URI in gcsSource.uris: {uris}"
            raise ApiError(400, message)
        return {"instancesFormat": kind, "gcsSource": {"uris": uris}}
    if set(config) == {"instancesFormat", "bigquerySource"} and kind == "bigquery":
        uri = known_only(config["bigquerySource"], {"inputUri"}, f"{where}.bigquery_source").get("inputUri")
        if not _matches(_TABLE, uri):
            message = f"Invalid BigQuery URI in bigquerySource.inputUri: {uri}"
            raise ApiError(400, message)
        return {"instancesFormat": kind, "bigquerySource": {"inputUri": uri}}
    message = f"Unsupported inputConfig: instancesFormat {kind!r} with {', '.join(sorted(config))}."
    raise ApiError(400, message)


def _output(value: Json) -> JsonObject:
    if value is None:
        raise ApiError(400, "BatchPredictionJob.outputConfig is required.")
    where = "output_config"
    config = known_only(
        value,
        {"predictionsFormat", "gcsDestination", "bigqueryDestination", "vertexMultimodalDatasetDestination"},
        where,
    )
    kind = config.get("predictionsFormat")
    if set(config) == {"predictionsFormat", "gcsDestination"} and kind == "jsonl":
        uri = known_only(config["gcsDestination"], {"outputUriPrefix"}, f"{where}.gcs_destination").get(
            "outputUriPrefix"
        )
        if not _matches(_PREFIX, uri):
            message = f"Invalid Cloud Storage URI in gcsDestination.outputUriPrefix: {uri}"
            raise ApiError(400, message)
        return {"predictionsFormat": kind, "gcsDestination": {"outputUriPrefix": uri}}
    if set(config) == {"predictionsFormat", "bigqueryDestination"} and kind == "bigquery":
        uri = known_only(config["bigqueryDestination"], {"outputUri"}, f"{where}.bigquery_destination").get(
            "outputUri"
        )
        if not _matches(_DESTINATION, uri):
            message = f"Invalid BigQuery URI in bigqueryDestination.outputUri: {uri}"
            raise ApiError(400, message)
        return {"predictionsFormat": kind, "bigqueryDestination": {"outputUri": uri}}
    message = f"Unsupported outputConfig: predictionsFormat {kind!r} with {', '.join(sorted(config))}."
    raise ApiError(400, message)


def _labels(value: Json) -> None:
    if not isinstance(value, Mapping) or len(value) > _MOST_LABELS:
        message = f"labels must be an object of at most {_MOST_LABELS} entries."
        raise ApiError(400, message)
    for key, text in value.items():
        if not 1 <= len(key) <= _LONGEST_LABEL or not _LABEL_KEY.fullmatch(key):
            message = f"Invalid label key: {key!r}"
            raise ApiError(400, message)
        if not isinstance(text, str) or len(text) > _LONGEST_LABEL or not _LABEL_VALUE.fullmatch(text):
            message = f"Invalid label value for {key!r}: {text!r}"
            raise ApiError(400, message)


def _matches(pattern: re.Pattern[str], value: Json) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
