"""Gemini answers that are not one text, on both services."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Switches
from tests.emulator.bodies import PERSON
from tests.emulator.talk import MODEL, Gemini, Vertex, lines, question, refused

Ask = Callable[..., dict[str, Any]]
PICTURES = "gemini-2.5-flash-image"
SPEECH = "gemini-2.5-flash-preview-tts"
FUNCTION = {"name": "person", "parameters": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}
IMAGES = {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}


@pytest.fixture(params=["gemini", "vertex"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask one thing in a job of its own and give the whole row."""
    service = request.param
    names = {"gemini": ("emulator", "api"), "vertex": ("vertex_emulator", "jobs", "put", "place", "output")}
    emulator, client, *rest = (request.getfixturevalue(name) for name in names[service])

    def run(row: dict[str, Any], model: str = MODEL, **script: Any) -> dict[str, Any]:
        if script:
            emulator.script(JobScript(**script))
        given = {"key": "a", "request": row}
        if service == "gemini":
            (found,) = client.rows(
                client.ended(client.from_file(client.upload(lines([given])), model)["name"])
            )
            found["error"] = (found.get("error") or {}).get("message", "")
            return found
        put, place, output = rest
        (found,) = output(client.run(put([given]), place, model=model))
        found["error"] = (
            json.loads(found["status"].split(": ", 1)[1])["error"]["message"] if found["status"] else ""
        )
        return found

    run.service = service  # type: ignore[attr-defined]
    return run


def first(row: dict[str, Any]) -> dict[str, Any]:
    return row["response"]["candidates"][0]


def parts(row: dict[str, Any]) -> list[dict[str, Any]]:
    return first(row)["content"]["parts"]


def data_of(part: dict[str, Any]) -> bytes:
    return base64.b64decode(part["inlineData"]["data"], validate=True)


def width_of(picture: bytes) -> int:
    """Read a PNG through, chunk by chunk, and return how wide it is."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, width, pixels = 8, 0, b""
    while at < len(picture):
        (size,), kind = struct.unpack(">I", picture[at : at + 4]), picture[at + 4 : at + 8]
        content = picture[at + 8 : at + 8 + size]
        assert struct.unpack(">I", picture[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        width = struct.unpack(">I", content[:4])[0] if kind == b"IHDR" else width
        pixels += content if kind == b"IDAT" else b""
        at += 12 + size
    assert kind == b"IEND"
    assert len(zlib.decompress(pixels)) == width * (1 + 3 * width)
    return width


def test_a_picture_is_drawn_beside_the_text_and_counted_by_modality(ask: Ask):
    row = ask(question("a lake", **IMAGES), PICTURES)
    text, picture = parts(row)
    assert text == {"text": "Answer to: a lake"}
    assert picture["inlineData"]["mimeType"] == "image/png"
    assert width_of(data_of(picture)) == 8
    usage = row["response"]["usageMetadata"]
    assert {one["modality"]: one["tokenCount"] for one in usage["candidatesTokensDetails"]} == {
        "TEXT": 5,
        "IMAGE": 1290,
    }
    assert usage["candidatesTokenCount"] == 1295
    assert parts(ask(question("a lake", **IMAGES), PICTURES))[1] == picture
    assert parts(ask(question("a river", **IMAGES), PICTURES))[1] != picture


def test_a_picture_has_the_size_that_a_test_asks_for(ask: Ask):
    (picture,) = parts(
        ask(
            question("x", generationConfig={"response_modalities": ["IMAGE"]}),
            PICTURES,
            media_bytes=1_000_000,
        )
    )
    assert len(data_of(picture)) == 1_000_000
    assert width_of(data_of(picture)) == 8


def test_a_thought_picture_comes_before_the_answer(ask: Ask):
    config = {"responseModalities": ["TEXT", "IMAGE"], "thinkingConfig": {"includeThoughts": True}}
    found = parts(ask(question("x", generationConfig=config), PICTURES))
    assert [(sorted(part), part.get("thought", False)) for part in found] == [
        (["text", "thought"], True),
        (["inlineData", "thought"], True),
        (["text"], False),
        (["inlineData"], False),
    ]


def test_speech_is_bare_samples(ask: Ask):
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    row = ask(
        question("hi", generationConfig={"responseModalities": ["AUDIO"], "speechConfig": voice}), SPEECH
    )
    (sound,) = parts(row)
    assert sound["inlineData"]["mimeType"] == "audio/L16;codec=pcm;rate=24000"
    assert len(data_of(sound)) == 4800
    assert row["response"]["usageMetadata"]["candidatesTokensDetails"] == [
        {"modality": "AUDIO", "tokenCount": 2}
    ]


@pytest.mark.parametrize(
    ("row", "model", "why"),
    [
        (question("x", **IMAGES), MODEL, "does not support the requested response modalities: text,image"),
        (question("x"), SPEECH, "does not support the requested response modalities: text"),
        (
            question("x", generationConfig={"candidateCount": 2}),
            "gemini-3-flash",
            "Multiple candidates is not enabled",
        ),
        (
            question("x", generationConfig={"candidateCount": 2}),
            PICTURES,
            "Multiple candidates is not enabled",
        ),
        (question("x", generationConfig={"candidateCount": 9}), MODEL, "must be between 1 and 8"),
        (
            question("x", generationConfig={"responseLogprobs": True}),
            "gemini-3.5-flash",
            "Logprobs is not enabled",
        ),
        (
            question("x", tools=[{"functionDeclarations": [FUNCTION]}]),
            PICTURES,
            "Function calling is not enabled",
        ),
    ],
)
def test_what_a_model_cannot_do_fails_the_row(ask: Ask, row: dict[str, Any], model: str, why: str):
    assert why in ask(row, model)["error"]


@pytest.mark.parametrize("size", ["512", "2K", "4K"])
def test_vertex_draws_1k_only(ask: Ask, size: str):
    config = {"responseModalities": ["IMAGE"], "imageConfig": {"imageSize": size}}
    error = ask(question("x", generationConfig=config), PICTURES)["error"]
    assert error == (
        ""
        if ask.service == "gemini"
        else f"image_size {size} is not supported in batch prediction; only 1K is."
    )


def test_a_forced_call_is_signed_and_fits(ask: Ask):
    config = {"functionCallingConfig": {"mode": "ANY"}}
    row = ask(
        question("x", tools=[{"functionDeclarations": [FUNCTION]}], toolConfig=config), "gemini-3-flash"
    )
    (part,) = parts(row)
    assert part["functionCall"]["name"] == "person"
    assert isinstance(part["functionCall"]["args"]["name"], str)
    assert base64.b64decode(part["thoughtSignature"])


def test_a_call_comes_where_the_prompt_speaks_of_it(ask: Ask):
    tools = [{"function_declarations": [{"name": "person", "parametersJsonSchema": PERSON}]}]
    if ask.service == "vertex":
        tools = [{"functionDeclarations": [FUNCTION]}]
    assert "functionCall" in parts(ask(question("call person now", tools=tools)))[0]
    assert parts(ask(question("x", tools=tools))) == [{"text": "Answer to: x"}]


def test_code_and_its_result_stand_beside_the_text(api: Gemini):
    # Vertex AI's importer takes no empty object, so nobody can ask for it there.
    given = question("x", tools=[{"codeExecution": {}}])
    (row,) = api.rows(api.ended(api.from_file(api.upload(lines([{"key": "a", "request": given}])))["name"]))
    assert [sorted(part) for part in parts(row)] == [["executableCode"], ["codeExecutionResult"], ["text"]]
    usage = row["response"]["usageMetadata"]
    assert usage["toolUsePromptTokenCount"] >= 40
    known = ("promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount")
    assert usage["totalTokenCount"] == sum(usage.get(name, 0) for name in known)


def test_a_search_and_addresses_say_their_sources(ask: Ask):
    tools = [{"googleSearch": {"timeRangeFilter": {"startTime": "2026-01-01T00:00:00Z"}}}]
    candidate = first(ask(question("who?", tools=tools)))
    grounding = candidate["groundingMetadata"]
    assert grounding["webSearchQueries"] == ["who?"]
    assert grounding["groundingChunks"][0]["web"]["uri"].startswith("https://")
    assert grounding["groundingSupports"][0]["segment"]["text"] == "Answer to: who?"


def test_addresses_are_read_on_the_gemini_api(api: Gemini):
    given = question("see https://a.example/x and https://a.example/missing", tools=[{"urlContext": {}}])
    (row,) = api.rows(api.ended(api.from_file(api.upload(lines([{"key": "a", "request": given}])))["name"]))
    read = first(row)["urlContextMetadata"]["urlMetadata"]
    assert [one["urlRetrievalStatus"].rsplit("_", 1)[1] for one in read] == ["SUCCESS", "ERROR"]


def test_chances_of_words_come_when_asked_for(ask: Ask):
    candidate = first(ask(question("hi", generationConfig={"responseLogprobs": True, "logprobs": 2})))
    chosen = candidate["logprobsResult"]["chosenCandidates"]
    assert [one["token"] for one in chosen] == ["Answer", "to:", "hi"]
    assert [len(one["candidates"]) for one in candidate["logprobsResult"]["topCandidates"]] == [2, 2, 2]
    assert candidate["avgLogprobs"] <= 0


def test_several_candidates_are_counted_together(ask: Ask):
    response = ask(question("hi", generationConfig={"candidateCount": 3}))["response"]
    texts = [one["content"]["parts"][0]["text"] for one in response["candidates"]]
    assert len(set(texts)) == 3
    assert [one.get("index", 0) for one in response["candidates"]] == [0, 1, 2]
    assert response["usageMetadata"]["candidatesTokenCount"] > 3 * 3
    assert response["usageMetadata"]["promptTokenCount"] == 1


def test_the_good_candidate_may_be_the_second(ask: Ask):
    response = ask(question("hi"), candidates={"a": ["SAFETY", "STOP"]})["response"]
    bad, good = response["candidates"]
    assert (bad["finishReason"], "content" in bad) == ("SAFETY", False)
    assert good["content"]["parts"][0]["text"] == "Answer to: hi"
    assert good["index"] == 1


@pytest.mark.parametrize("keep", [True, False, None])
@pytest.mark.parametrize("reason", ["STOP", "SAFETY", "NO_IMAGE", "MODEL_ARMOR", "A_NEW_ONE"])
def test_an_answer_ends_for_any_reason_with_and_without_content(ask: Ask, reason: str, keep: bool | None):
    content = {} if keep is None else {"content": {"a": keep}}
    candidate = first(ask(question("x", **IMAGES), PICTURES, finish_reasons={"a": reason}, **content))
    assert candidate["finishReason"] == reason
    assert ("content" in candidate) == (reason == "STOP" if keep is None else keep)
    if "content" in candidate:
        drawn = any("inlineData" in part for part in candidate["content"]["parts"])
        assert drawn == (reason != "NO_IMAGE")


def test_any_parts_and_members_come_by_script(ask: Ask):
    code = [
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
    ]
    cited = {"citationMetadata": {"citations": [{"uri": "https://a.example"}]}, "finishMessage": "x"}
    candidate = first(ask(question("x"), parts={0: code}, members={"a": cited}))
    assert candidate["content"]["parts"] == code
    assert candidate["citationMetadata"] == cited["citationMetadata"]


def test_a_text_of_the_third_generation_is_signed_on_vertex(ask: Ask):
    (part,) = parts(ask(question("x"), "gemini-3.1-flash-lite-preview"))
    assert ("thoughtSignature" in part) == (ask.service == "vertex")


def test_an_inline_job_of_large_rows_is_never_answered(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(inline_limit=10_000, media_bytes=10_000))
    emulator.script(JobScript(inline_limit=10_000))
    large, small = (api.inline("x", model=PICTURES)["name"] for _ in range(2))
    mask = {"fields": "done,metadata(state)"}
    while "done" not in api.get(large, **mask):
        pass
    assert {api.http.get(f"/v1beta/{large}").status_code for _ in range(3)} == {503}
    assert api.get(large, **mask)["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert api.ended(small)["response"]["inlinedResponses"]["inlinedResponses"]


def test_a_thousand_pictures_inline_are_too_many(api: Gemini):
    name = api.inline(*(["x"] * 1000), model=PICTURES)["name"]
    while "done" not in api.get(name, fields="done"):
        pass
    assert api.http.get(f"/v1beta/{name}").status_code == 503


def test_speech_may_have_no_batch(api: Gemini, emulator: Emulator):
    emulator.switches = Switches(speech=False)
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": question("x")}]}}}}
    assert refused(api.http.post(f"/v1beta/models/{SPEECH}:batchGenerateContent", json=body)) == (
        404,
        "NOT_FOUND",
    )


@pytest.mark.parametrize("usage", [None, "tokenCount", "usageMetadata"])
def test_embeddings_say_their_tokens_in_one_way_or_the_other(
    jobs: Vertex, vertex_emulator: Emulator, put: Any, place: str, output: Any, usage: str | None
):
    vertex_emulator.script(JobScript(embedding_usage=usage))
    given = {"key": "a", "request": {"content": {"parts": [{"text": "hi"}]}}}
    (row,) = output(jobs.run(put([given]), place, model="gemini-embedding-001"))
    assert set(row["response"]) == {"embedding", usage or "tokenCount"}


def test_the_older_embedding_models_take_30000_prompts(jobs: Vertex, put: Any, place: str, output: Any):
    model = "text-multilingual-embedding-002"
    ended = jobs.run(put([{"content": "hi"}]), place, model=model)
    (row,) = output(ended)
    assert (row["instance"], row["status"]) == ({"content": "hi"}, "")
    assert len(row["predictions"][0]["embeddings"]["values"]) == 768
    many = b'{"content":"hi"}\n' * 30_001
    assert "more than 30000 rows" in jobs.run(put(many), place, model=model)["error"]["message"]


def test_rows_have_the_form_of_either_dated_capture(
    jobs: Vertex, vertex_emulator: Emulator, put: Any, place: str, output: Any
):
    given = [
        {"key": "a", "request": question("hi", labels={"x": "y"})},
        {"key": "b", "request": question("ho")},
    ]
    found = {}
    for form in ("2025-12", "2026-05"):
        vertex_emulator.script(JobScript(row_form=form))
        rows = output(jobs.run(put(given), place))
        found[form] = next(row for row in rows if row["key"] == "b")
    older, newer = found["2025-12"], found["2026-05"]
    assert older["request"] == given[1]["request"]
    assert newer["request"]["labels"] is None
    assert "avgLogprobs" in first(older)
    assert "avgLogprobs" not in first(newer)
    assert [list(part) for part in parts(older)] == [["text"]]
    assert [list(part) for part in parts(newer)] == [["text", "thoughtSignature"]]
    assert "billablePromptUsage" not in older["response"]["usageMetadata"]
    assert "billablePromptUsage" in newer["response"]["usageMetadata"]
    with pytest.raises(ValueError, match="row_form is one of"):
        JobScript(row_form="1999-01")
