"""Which requests ask for pictures or sound, and what files of them are."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.answers.media import asks_for, media_kind, refuse_media

FLASH, PICTURES, SPEECH = "gemini-2.5-flash", "gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"


@pytest.mark.parametrize(
    ("config", "model", "said"),
    [
        ({"responseModalities": ["TEXT", "IMAGE"]}, FLASH, "responseModalities asks for pictures"),
        ({"responseModalities": ["Audio"]}, FLASH, "responseModalities asks for sound"),
        ({"response_modalities": ["IMAGE"]}, FLASH, "pictures"),
        ({"imageConfig": {"aspectRatio": "1:1"}}, FLASH, "imageConfig asks for pictures"),
        ({"speechConfig": {"languageCode": "en-US"}}, FLASH, "speechConfig asks for sound"),
        ({}, PICTURES, f"{PICTURES} answers with pictures"),
        ({}, f"publishers/google/models/{PICTURES}", "answers with pictures"),
        ({}, "gemini-3-pro-image-preview", "answers with pictures"),
        ({}, "gemini-2.0-flash-preview-image-generation", "answers with pictures"),
        ({}, SPEECH, "answers with sound"),
        ({"temperature": 1}, FLASH, None),
        ({"responseModalities": ["TEXT"]}, PICTURES, None),
        ({"responseModalities": []}, FLASH, None),
        ({}, "gemini-embedding-001", None),
        ({}, "tunedModels/imagery-1", None),
    ],
)
def test_a_request_asks_for_media_by_what_it_says_or_else_by_its_model(
    config: dict[str, Any], model: str, said: str | None
) -> None:
    why = asks_for({"contents": [], "generationConfig": config}, model)
    assert (why is None) if said is None else said in str(why)


def test_a_refusal_names_both_remedies_and_that_for_a_model_known_by_its_name() -> None:
    with pytest.raises(RequestError, match=r'media_uri.*keep="response".*response_modalities=\["TEXT"\]'):
        refuse_media({}, PICTURES)
    with pytest.raises(RequestError) as caught:
        refuse_media({"generationConfig": {"speechConfig": {"x": 1}}}, FLASH)
    assert "response_modalities" not in caught.value.remedy


@pytest.mark.parametrize(
    ("mime_type", "ending"),
    [
        ("image/png", "png"),
        ("IMAGE/JPEG", "jpg"),
        ("image/webp", "webp"),
        ("audio/mpeg; x=1", "mp3"),
        ("audio/L16;codec=pcm", "pcm"),
        ("chemical/x-pdb", "bin"),
        ("", "bin"),
        ("../../etc", "bin"),
    ],
)
def test_a_type_decides_the_ending_of_a_file(mime_type: str, ending: str) -> None:
    kind = media_kind(mime_type)
    assert (kind.ending, kind.mime_type, kind.header(10)) == (ending, mime_type, b"")


@pytest.mark.parametrize(
    ("mime_type", "rate", "channels"),
    [("audio/L16;codec=pcm;rate=24000", 24000, 1), ("audio/pcm; rate=16000; channels=2", 16000, 2)],
)
def test_bare_samples_become_a_file_that_players_open(mime_type: str, rate: int, channels: int) -> None:
    kind, samples = media_kind(mime_type), b"\x01\x02" * 600
    assert (kind.ending, kind.mime_type) == ("wav", "audio/wav")
    with wave.open(io.BytesIO(kind.header(len(samples)) + samples)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (rate, channels, 2)
        assert sound.readframes(sound.getnframes()) == samples
