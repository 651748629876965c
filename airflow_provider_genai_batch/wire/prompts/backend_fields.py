"""Fields that only one of the two services has, by the message that contains them.

Source: what Google's google-genai SDK refuses in each mode; Google's "Batch inference with Gemini" for what a batch on
Vertex AI does not support.
"""

from __future__ import annotations

import re
from functools import cache

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES

SERVICE_NAMES = {Backend.GEMINI: "the Gemini Developer API", Backend.VERTEX: "Vertex AI"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_OF_PATHS = frozenset("./\\")
_READ = {Backend.GEMINI: ("http", "https"), Backend.VERTEX: ("gs", "http", "https")}
"""The schemes of files that the services read."""
_PLACED = {
    Backend.GEMINI: "Upload the file with the Files API and give its uri.",
    Backend.VERTEX: "Copy the file to Cloud Storage and give its gs:// address.",
}

_VERTEX_ONLY = {
    "GenerationConfig": ("routingConfig", "modelConfig", "audioTimestamp"),
    "GenerateContentRequest": ("modelArmorConfig", "outputConfig"),
    "Tool": ("retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch"),
    "GoogleSearch": ("blockingConfidence", "excludeDomains"),
    "GoogleMaps": ("groundingTypes",),
    "AuthConfig": (
        "apiKeyConfig",
        "authType",
        "googleServiceAccountConfig",
        "httpBasicAuthConfig",
        "oauthConfig",
        "oidcConfig",
    ),
    "FunctionCall": ("partialArgs", "willContinue"),
    "FunctionCallingConfig": ("streamFunctionCallArguments",),
    "ImageConfig": (
        "personGeneration",
        "prominentPeople",
        "outputMimeType",
        "outputCompressionQuality",
        "imageOutputOptions",
    ),
    "SafetySetting": ("method",),
    "EmbedContentConfig": ("mimeType", "autoTruncate", "documentOcr", "audioTrackExtraction"),
    "EmbedContentRequest": ("mimeType", "autoTruncate", "documentOcr", "audioTrackExtraction"),
}
_GEMINI_ONLY = {
    "GenerationConfig": ("enableEnhancedCivicAnswers",),
    "GenerateContentRequest": ("store",),
    "Part": ("toolCall", "toolResponse", "partMetadata"),
    "FunctionResponse": ("willContinue",),
    "FunctionResponsePart": ("mediaProcessing",),
    "Tool": ("fileSearch",),
    "McpServer": ("name", "streamableHttpTransport"),
    "ToolConfig": ("includeServerSideToolInvocations",),
    "ReplicatedVoiceConfig": ("consentAudio", "voiceConsentSignature"),
}
_ONLY = {
    (message, name): backend
    for backend, table in ((Backend.VERTEX, _VERTEX_ONLY), (Backend.GEMINI, _GEMINI_ONLY))
    for message, names in table.items()
    for name in names
}
_NOT_IN_A_VERTEX_BATCH = {
    (
        "GenerateContentRequest",
        "cachedContent",
    ): "Put what is cached into the request; implicit caching still applies.",
    ("Retrieval", "vertexRagStore"): "Retrieve beforehand and put what was found into the request.",
}


def is_taken(message: str, name: str, backend: Backend) -> bool:
    """Whether the service accepts a field in a batch."""
    place = (message, name)
    return _ONLY.get(place, backend) is backend and not (
        backend is Backend.VERTEX and place in _NOT_IN_A_VERTEX_BATCH
    )


@cache
def accepted_fields(backend: Backend) -> dict[str, dict[str, str]]:
    """Return `MESSAGES` with only the fields that a service accepts in a batch."""
    return {
        message: {name: kind for name, kind in fields.items() if is_taken(message, name, backend)}
        for message, fields in MESSAGES.items()
    }


def check_field(message: str, name: str, backend: Backend, path: str) -> None:
    """Refuse a field that the chosen service does not have.

    Args:
        message: the message that has the field.
        name: the field's lowerCamel name.
        backend: where the request goes.
        path: the message's path in the request, for the error.

    Raises:
        RequestError: only the other service has it, or no batch supports it.
    """
    only = _ONLY.get((message, name))
    if only is not None and only is not backend:
        msg = f"{path}.{name} exists only on {SERVICE_NAMES[only]}"
        raise RequestError(
            msg,
            f"Leave it out, or use a connection with backend {only}.",
        )
    if backend is Backend.VERTEX and (remedy := _NOT_IN_A_VERTEX_BATCH.get((message, name))):
        msg = f"{path}.{name} does not work in a batch on Vertex AI"
        raise RequestError(msg, remedy)


def check_image_size(size: str | None, path: str) -> None:
    """Refuse a picture size that a batch on Vertex AI does not support: only 1K, by "Batch inference with Gemini".

    Raises:
        RequestError: it is another size.
    """
    if size is not None and not size.upper().endswith(("1K", "UNSPECIFIED")):
        msg = f"{path}.imageSize is {size[:20]!r}, and a batch on Vertex AI makes pictures of 1K alone"
        raise RequestError(msg, "Write 1K or leave it out, or use a connection with backend gemini.")


def check_uri(uri: str, backend: Backend) -> None:
    """Refuse the address of a file that the chosen service cannot read.

    Raises:
        RequestError: the file is in the other service's storage.
    """
    if backend is Backend.GEMINI and uri.lower().startswith("gs://"):
        msg = f"the Gemini Developer API cannot read {uri}"
        raise RequestError(
            msg,
            "Upload the file with the Files API and give its uri, or use a connection with backend vertex.",
        )
    if backend is Backend.VERTEX and (uri.startswith("files/") or "generativelanguage.googleapis.com" in uri):
        msg = f"Vertex AI cannot read {uri}, a file of the Gemini Files API"
        raise RequestError(msg, _PLACED[backend])
    wrong, scheme = "" if uri else "an empty address", _SCHEME.match(uri)
    if scheme is not None and scheme[1].lower() not in _READ[backend]:
        wrong = f"a file by {scheme[0]!r}"  # the rest may be the data itself, or have a signature
    elif scheme is None and not _OF_PATHS.isdisjoint(uri) and not uri.startswith("files/"):
        wrong = "a path"
    if wrong:
        msg = f"{SERVICE_NAMES[backend]} cannot read {wrong} (fileUri)"
        raise RequestError(msg, _PLACED[backend])
