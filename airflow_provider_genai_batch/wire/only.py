"""Which fields only one of the two services has.

Source: what Google's google-genai SDK refuses in each mode; Google's "Batch inference with Gemini" for what a
batch on Vertex AI leaves out.
"""

from __future__ import annotations

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend

SERVICE_NAMES = {Backend.GEMINI: "the Gemini Developer API", Backend.VERTEX: "Vertex AI"}

_VERTEX_ONLY = {
    "generationConfig": ("routingConfig", "modelConfig", "audioTimestamp"),
    "request": ("modelArmorConfig", "outputConfig"),
    "tools": ("retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch"),
    "googleSearch": ("blockingConfidence", "excludeDomains"),
    "googleMaps": ("groundingTypes",),
    "authConfig": (
        "apiKeyConfig",
        "authType",
        "googleServiceAccountConfig",
        "httpBasicAuthConfig",
        "oauthConfig",
        "oidcConfig",
    ),
    "functionCall": ("partialArgs", "willContinue"),
    "functionCallingConfig": ("streamFunctionCallArguments",),
    "imageConfig": (
        "personGeneration",
        "prominentPeople",
        "outputMimeType",
        "outputCompressionQuality",
        "imageOutputOptions",
    ),
    "safetySettings": ("method",),
    "embedContentConfig": ("mimeType", "autoTruncate", "documentOcr", "audioTrackExtraction"),
}
_GEMINI_ONLY = {
    "generationConfig": ("enableEnhancedCivicAnswers",),
    "request": ("store",),
    "parts": ("toolCall", "toolResponse", "partMetadata"),
    "functionResponse": ("willContinue",),
    "functionResponse.parts": ("mediaProcessing",),
    "tools": ("fileSearch",),
    "mcpServers": ("name", "streamableHttpTransport"),
    "toolConfig": ("includeServerSideToolInvocations",),
    "replicatedVoiceConfig": ("consentAudio", "voiceConsentSignature"),
}
_ONLY = {
    (holder, name): backend
    for backend, table in ((Backend.VERTEX, _VERTEX_ONLY), (Backend.GEMINI, _GEMINI_ONLY))
    for holder, names in table.items()
    for name in names
}
_NOT_IN_A_VERTEX_BATCH = {
    ("request", "cachedContent"): "Put what is cached into the request; implicit caching still applies.",
    ("retrieval", "vertexRagStore"): "Retrieve beforehand and put what was found into the request.",
}


def check_field(holder: str, name: str, backend: Backend) -> None:
    """Refuse a field that the chosen service does not have.

    Args:
        holder: the field that holds it (``tools``, ``generationConfig``, ``request`` for the top).
        name: its own name in lowerCamel.
        backend: where the request goes.

    Raises:
        RequestError: the other service has it, or no batch has it.
    """
    only = _ONLY.get((holder, name))
    if only is not None and only is not backend:
        msg = f"{holder}.{name} exists only on {SERVICE_NAMES[only]}"
        raise RequestError(
            msg,
            f"Leave it out, or use a connection with backend {only}.",
        )
    if backend is Backend.VERTEX and (remedy := _NOT_IN_A_VERTEX_BATCH.get((holder, name))):
        msg = f"{holder}.{name} does not work in a batch on Vertex AI"
        raise RequestError(msg, remedy)
