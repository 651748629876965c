"""Which requests the pretend model refuses, row by row."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, camel, field, words
from airflow_provider_genai_batch.emulator.model.errors import RowError

_REQUEST = words(
    "model contents systemInstruction tools toolConfig safetySettings generationConfig "
    "cachedContent labels serviceTier store modelArmorConfig"
)
_CONFIG = words(
    "candidateCount stopSequences maxOutputTokens temperature topP topK responseMimeType "
    "responseSchema responseJsonSchema presencePenalty frequencyPenalty seed responseLogprobs "
    "logprobs enableEnhancedCivicAnswers responseModalities speechConfig thinkingConfig "
    "imageConfig mediaResolution audioTimestamp routingConfig modelSelectionConfig "
    "enableAffectiveDialog responseFormat translationConfig"
)
_EMBED = words(
    "model content taskType title outputDimensionality embedContentConfig autoTruncate "
    "documentOcr audioTrackExtraction"
)
_ROLES = frozenset({None, "", "user", "model", "function", "tool"})


def check_generate(request: JsonObject) -> None:
    """Refuse a GenerateContentRequest that the live service would refuse.

    Raises:
        RowError: With code 3.
    """
    _known(request, _REQUEST, "request")
    contents = request.get("contents")
    if not contents:
        raise RowError(3, "* GenerateContentRequest.contents: contents is not specified")
    for content in contents if isinstance(contents, list) else [contents]:
        if not isinstance(content, dict):
            raise RowError(3, "Invalid value at 'request.contents': expected a Content object.")
        if not content.get("parts"):
            raise RowError(3, "* GenerateContentRequest.contents.parts: contents.parts must not be empty.")
        if content.get("role") not in _ROLES:
            raise RowError(3, "Please use a valid role: user, model.")
    config = field(request, "generationConfig")
    if config is not None:
        _known(config, _CONFIG, "request.generation_config")


def check_embed(request: JsonObject) -> None:
    """Refuse an EmbedContentRequest that the live service would refuse.

    Raises:
        RowError: With code 3.
    """
    _known(request, _EMBED, "request")


def _known(obj: object, names: frozenset[str], where: str) -> None:
    if not isinstance(obj, dict):
        raise RowError(3, f"Invalid value at '{where}': expected an object.")
    for name in obj:
        if camel(name).lstrip("_") not in names and camel(name) not in names:
            raise RowError(
                3, f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
            )
