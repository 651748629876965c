"""Long-running operations of Vertex AI: deletions."""

from __future__ import annotations

import random

from starlette.responses import Response

from airflow_provider_genai_batch.emulator.calls.call import Call
from airflow_provider_genai_batch.emulator.calls.fields_mask import OPERATION
from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.vertex.names import Parent
from airflow_provider_genai_batch.emulator.world import World

_METADATA = "type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata"
_EMPTY = "type.googleapis.com/google.protobuf.Empty"


def deletion(world: World, parent: str) -> JsonObject:
    """Return a new operation that has not ended yet."""
    number = random.randint(10**17, 2**63 - 1)  # noqa: S311 - a name, not a secret
    at = micros_text(world.tick())
    operation: JsonObject = {
        "name": f"{parent}/operations/{number}",
        "metadata": {"@type": _METADATA, "genericMetadata": {"createTime": at, "updateTime": at}},
    }
    world.operations[operation["name"]] = operation
    world.store.put("operation", [(operation["name"], operation)])
    return operation


async def get(call: Call) -> Response:
    """Show an operation; it has always ended."""
    call.query()
    parent = Parent(call.param("project"), call.param("location"))
    name = f"{parent}/operations/{call.param('operation')}"
    operation = call.world.operations.get(name)
    if operation is None:
        message = f"Operation not found: {name}"
        raise ApiError(404, message)
    return call.reply({**operation, "done": True, "response": {"@type": _EMPTY}}, OPERATION)
