"""How many tokens requests may cost at most."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, MOST_OUTPUT, TokenEstimate


def line(text: str = "abcd", **more: Any) -> dict[str, Any]:
    return {
        "key": "a key counts nothing",
        "request": {"contents": [{"role": "user", "parts": [{"text": text}]}], **more},
    }


def weigh(*rows: dict[str, Any], answers: bool = True) -> TokenEstimate:
    return TokenEstimate().add(rows, answers=answers)


@pytest.mark.parametrize(
    ("text", "tokens"), [("abcd", 1), ("abcdefgh" * 100, 200), ("日本語。", 3), ("привет", 3), ("", 0)]
)
def test_a_token_is_four_bytes_of_text(text: str, tokens: float) -> None:
    assert weigh(line(text)).input == tokens


def test_instructions_tools_and_schemas_are_read_too_in_either_spelling() -> None:
    plain = weigh(line()).input
    told = {"parts": [{"text": "Answer in one word."}]}
    schema = {"type": "OBJECT", "properties": {"answer": {"type": "STRING"}}}
    for more in (
        {"systemInstruction": told},
        {"system_instruction": told},
        {"generationConfig": {"responseSchema": schema}},
        {"generation_config": {"response_json_schema": schema}},
        {"tools": [{"functionDeclarations": [{"name": "look_up"}]}]},
    ):
        assert weigh(line(**more)).input > plain


def test_every_request_of_a_list_counts_with_and_without_an_envelope() -> None:
    weight = weigh(line("abcd"), line("abcdefgh"), {"contents": [{"parts": [{"text": "abcd"}]}]})
    assert (weight.requests, weight.input) == (3, 4)


@pytest.mark.parametrize("name", ["inlineData", "inline_data", "fileData", "file_data"])
def test_pictures_and_files_are_told_and_not_counted(name: str) -> None:
    row = {
        "request": {
            "contents": [{"parts": [{"text": "abcd"}, {name: {"mimeType": "image/png", "data": "A" * 999}}]}]
        }
    }
    weight = weigh(row)
    assert (weight.input, weight.unsized) == (1, 1)


def test_a_cached_content_is_told_and_not_counted() -> None:
    assert weigh(line(cachedContent="cachedContents/1")).unsized == 1


@pytest.mark.parametrize(
    ("config", "output", "unbounded"),
    [
        ({"maxOutputTokens": 100}, 100, 0),
        ({"max_output_tokens": 100, "candidate_count": 3}, 300, 0),
        ({"maxOutputTokens": 10**9}, MOST_OUTPUT, 0),
        ({"temperature": 0}, MOST_OUTPUT, 1),
    ],
)
def test_answers_are_bounded_by_the_request_or_by_what_models_can_say(
    config: dict[str, Any], output: int, unbounded: int
) -> None:
    weight = weigh(line(generationConfig=config))
    assert (weight.output, weight.unbounded) == (output, unbounded)


def test_embeddings_have_no_answers_to_pay_for() -> None:
    weight = weigh(
        {"content": "abcdefgh"}, {"request": {"content": {"parts": [{"text": "abcd"}]}}}, answers=False
    )
    assert (weight.input, weight.output, weight.unbounded) == (3, 0, 0)


def test_long_prompts_are_kept_apart() -> None:
    weight = weigh(
        line(), line("a" * (LONG_PROMPT + 1) * BYTES_A_TOKEN, generationConfig={"maxOutputTokens": 7})
    )
    assert (weight.long_input, weight.long_output) == (LONG_PROMPT + 1, 7)
    assert weight.input == LONG_PROMPT + 2
