"""The names in one folder, local or in object storage."""

from __future__ import annotations

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.pages import Pages
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.task.files.files import by_connection, local_path
from airflow_provider_genai_batch.task.files.object_storage import names_below


def file_names(folder: str, client: GenAIBatchClient) -> list[str]:
    """Return the sorted names of the files in a folder; none if there is no such folder.

    Args:
        folder: its address, without a slash at the end.
        client: the client of the task's connection.

    Raises:
        OSError: it cannot be listed.
    """
    path = local_path(folder)
    if path is not None:
        try:
            return sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return []
    if not by_connection(folder, client):
        return sorted(names_below(folder))
    return sorted(_below(f"{folder}/", client))


def folder_names(folder: str, begin: str, client: GenAIBatchClient) -> list[str]:
    """Return the sorted names of subfolders that begin with a text; names of files may be among them.

    Args:
        folder: the address of the folder, without a slash at the end.
        begin: the text that the names begin with.
        client: the client of the task's connection.

    Raises:
        OSError: they cannot be listed.
    """
    if local_path(folder) is not None or not by_connection(folder, client):
        return [name for name in file_names(folder, client) if name.startswith(begin)]
    below = _below(f"{folder}/{begin}", client)
    return sorted({begin + name.partition("/")[0] for name in below})


def _below(prefix: str, client: GenAIBatchClient) -> list[str]:
    """Return the addresses of the objects below a prefix, without the prefix."""
    names, pages = list[str](), Pages(f"objects below {prefix}")
    try:
        while not pages.over:
            objects, token = client.perform(client.calls.list_objects(prefix, page_token=pages.token))
            pages.turn(token)
            names += [one.uri.removeprefix(prefix) for one in objects]
    except CallError as error:
        raise OSError(str(error)) from error
    if pages.in_circles:
        msg = f"the list of objects below {prefix} repeats itself"
        raise OSError(msg)
    return names
