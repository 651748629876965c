"""The source of requests, in every spelling of ``src`` that users write.

Source: what Google's google-genai SDK accepts as ``src``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from airflow_provider_genai_batch.address import address, is_path
from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource, SqlSource
from airflow_provider_genai_batch.wire.prompts.embed import expand
from airflow_provider_genai_batch.wire.spelling import fields_of

SOURCES = (
    "gs://… (or a list of them), bq://project.dataset.table, files/…, a list of requests, "
    "an object-storage URI or a local path of a JSONL file"
)
_FILE_NAME = re.compile(r"files/[a-z0-9-]+")
_FILE_URL = re.compile(r"https?://[^/]+(?:/[^?]*)?/(files/[a-z0-9-]+)(?:[:?].*)?")
_DATASET = re.compile(r"projects/[^/]+/locations/[^/]+/datasets/[^/]+")
_TABLE = re.compile(r"bq://[^./]+\.[^./]+\.[^./]+")
_OBJECT = re.compile(r"gs://[^/]+/.+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_STORAGE = frozenset(
    [
        "abfs",
        "abfss",
        "adl",
        "az",
        "file",
        "ftp",
        "hdfs",
        "local",
        "memory",
        "minio",
        "oci",
        "oss",
        "r2",
        "s3",
        "s3a",
        "sftp",
        "smb",
        "wasb",
        "wasbs",
        "webhdfs",
    ]
)
_JSONL_ENDINGS = (".jsonl", ".ndjson", ".json", ".jl", ".txt")
_TABLES = {".parquet": "parquet", ".csv": "csv", **dict.fromkeys(_JSONL_ENDINGS, "jsonl")}
_ROWS = (
    "a table in BigQuery, an SqlSource, a list of dicts, or a path or object-storage URI that ends in .csv, .jsonl "
    "(both also with .gz) or .parquet"
)
_FORMATS = {"gcsUri": "jsonl", "bigqueryUri": "bigquery"}
_SHOWN = "gcs_uri, bigquery_uri, file_name and inlined_requests"
_PLACES = frozenset({"gcsUri", "bigqueryUri", "fileName", "inlinedRequests", "path"})


def read_source(src: Any) -> BatchSource:
    """Read ``src``.

    Args:
        src: a string; a path; a list, tuple or other iterable of requests or of ``gs://`` addresses; a dict
            or object with the fields of google-genai's ``BatchJobSource`` or ``EmbeddingsBatchJobSource``; an
            uploaded ``File``.

    Raises:
        InputError: it is empty or none of these; the message names what is accepted.
        UnsupportedError: a Vertex AI multimodal dataset.
    """
    source = _read(src)
    for path in (source.path, *source.gcs_uri):
        if path and table_format(path) in ("csv", "parquet"):
            msg = f"{path} is a table, not requests: give prompt, with {{column}} where a column's value goes"
            raise InputError(msg)
    if source.sql is not None:
        msg = "a query gives rows, not requests: give prompt, with {column} where a column's value goes"
        raise InputError(msg)
    return source


def read_rows(src: Any) -> BatchSource:
    """Read ``src`` if ``prompt`` makes requests of rows: of a BigQuery table, a file, a query or a Python list.

    Raises:
        InputError: it is not a table.
        UnsupportedError: its rows cannot be read here.
    """
    source = _read(src)
    if source.bigquery_uri:
        return source
    if source.sql is not None:
        _check_query(source.sql)
        return source
    if source.file_name:
        msg = f"the rows of {source.file_name} are not read here, so no prompt can be made of them: give {_ROWS}"
        raise UnsupportedError(msg)
    if len(source.gcs_uri) > 1:
        msg = f"with prompt src is one file, not {len(source.gcs_uri)}: give {_ROWS}"
        raise InputError(msg)
    path = source.path or "".join(source.gcs_uri)
    if path and (table_format(path) is None or "*" in path):
        msg = f"src {path} does not name a table: with prompt give {_ROWS}"
        raise InputError(msg)
    return BatchSource(path=path) if path else source


def table_format(path: str) -> str | None:
    """Return the format of a file's rows by its name: ``csv``, ``jsonl`` or ``parquet``; None if it is unknown."""
    name = path.lower()
    plain = name.removesuffix(".gz")
    found = next((kind for ending, kind in _TABLES.items() if plain.endswith(ending)), None)
    return None if found == "parquet" and plain != name else found


def _check_query(query: SqlSource) -> None:
    """Refuse an invalid query."""
    if not query.conn_id.strip():
        msg = "src has an empty conn_id: name the Airflow connection of the database"
        raise InputError(msg)
    text = query.sql.strip()
    if not text or text.lower().endswith(".sql"):
        found = f"the name of a file, {text}" if text else "empty"
        msg = f"the sql of src is {found}: give the text of the statement"
        raise InputError(msg)
    if query.chunk < 1:
        msg = f"the chunk of src is {query.chunk}: give how many rows are fetched at a time, 1 or more"
        raise InputError(msg)


def _read(src: Any) -> BatchSource:
    if src is None:
        msg = f"src cannot be of type NoneType: a task upstream has returned nothing, or was skipped. Give {SOURCES}"
        raise InputError(msg)
    if isinstance(src, BatchSource):
        return src
    if isinstance(src, SqlSource):
        return BatchSource(sql=src)
    if isinstance(src, str):
        return _from_text(src)
    if isinstance(src, (list, tuple)):
        return _from_items(tuple(item if isinstance(item, str) else _object_address(item) for item in src))
    if is_path(src):
        return _from_path(address(src))
    return _from_object(src)


def _from_object(src: Any) -> BatchSource:
    if (fields := fields_of(src)) is not None:
        return _from_fields(fields)
    if isinstance(src, (set, frozenset)):
        msg = "src is a set, whose order changes from run to run: give a list"
        raise InputError(msg)
    if type(src).__name__ == "DataFrame":  # iterating would yield its column names
        msg = "src is a DataFrame: give a list of requests made from its rows"
        raise InputError(msg)
    if isinstance(src, Iterator):
        return _from_stream(src)
    if isinstance(src, Iterable) and not isinstance(src, (bytes, bytearray)):
        return _from_items(tuple(map(_object_address, src)))
    msg = f"src cannot be of type {type(src).__name__}: give {SOURCES}"
    raise InputError(msg)


def _from_text(text: str) -> BatchSource:
    text = text.strip()
    if text[:1] + text[-1:] in ("[]", "()", "{}"):
        msg = (
            f"src is the text {text[:60]!r}: a template has rendered a list or dict to it. Give the task's output "
            "itself (.output, or an argument of a decorated function), or set render_template_as_native_obj on the DAG"
        )
        raise InputError(msg)
    if text.startswith("gs://"):
        return BatchSource(gcs_uri=(_object(text),))
    if text.startswith("bq://"):
        if not _TABLE.fullmatch(text):
            msg = f"src {text} does not name a table: write bq://project.dataset.table"
            raise InputError(msg)
        return BatchSource(bigquery_uri=text)
    if _DATASET.fullmatch(text):
        raise _no_datasets(text)
    if _FILE_NAME.fullmatch(text):
        return BatchSource(file_name=text)
    if found := _FILE_URL.fullmatch(text):
        return BatchSource(file_name=found[1])
    if (scheme := _SCHEME.match(text)) and scheme[1].lower() not in _STORAGE:
        msg = f"src {text} has the scheme {scheme[1]}://, which is not supported: give {SOURCES}"
        raise InputError(msg)
    if scheme or text.startswith(("/", "./", "../", "~")) or table_format(text):
        return _from_path(text)
    shown = f"{text[:60]}…" if len(text) > 60 else text
    msg = f"src {shown!r} is not a source: give {SOURCES}. A prompt goes into a list."
    raise InputError(msg)


def _from_path(path: str) -> BatchSource:
    return _from_text(path) if path.startswith("gs://") else BatchSource(path=path)


def _object_address(item: Any) -> Any:
    """Return a path in Cloud Storage as its address; other items as they are."""
    text = address(item)
    return text if isinstance(text, str) and text.startswith("gs://") else item


def _from_stream(items: Iterator[Any]) -> BatchSource:
    """Look at the first item only; the others are read when they are needed."""
    first = list(islice(items, 1))
    if first and _is_request(first[0]):
        return BatchSource(stream=chain(first, _requests(items)))
    return _from_items((*first, *items))


def _is_request(item: Any) -> bool:
    """Whether an item is anything but an address."""
    return not isinstance(item, str) or not (
        item.strip().startswith("gs://") or item.startswith("bq://") or _FILE_NAME.fullmatch(item)
    )


def _requests(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        if not _is_request(item):
            msg = f"src mixes addresses ({item}) and requests: give either"
            raise InputError(msg)
        yield item


def _from_items(items: tuple[Any, ...]) -> BatchSource:
    if not items:
        msg = "src is empty: there is nothing to ask"
        raise InputError(msg)
    addresses = [item for item in items if isinstance(item, str) and item.strip().startswith("gs://")]
    if addresses and len(addresses) == len(items):
        return BatchSource(gcs_uri=tuple(_object(text.strip()) for text in addresses))
    if addresses:
        msg = f"src mixes Cloud Storage addresses ({addresses[0]}) and requests: give either"
        raise InputError(msg)
    for item in items:
        if isinstance(item, str) and (item.startswith("bq://") or _FILE_NAME.fullmatch(item)):
            msg = f"src is a list with {item}: give that one as a string, not in a list"
            raise InputError(msg)
    return BatchSource(inlined_requests=items)


def _from_fields(fields: Mapping[str, Any]) -> BatchSource:
    if "vertexDatasetName" in fields:
        raise _no_datasets(str(fields["vertexDatasetName"]))
    if _FILE_NAME.fullmatch(str(fields.get("name", ""))) and fields.keys() & {
        "uri",
        "mimeType",
        "sizeBytes",
        "state",
    }:
        return BatchSource(file_name=fields["name"])
    if unknown := sorted(fields.keys() - _PLACES - {"format"}):
        hint = " One request goes into a list." if fields.keys() & {"contents", "request", "parts"} else ""
        msg = f"src has an unknown field {unknown[0]!r}; there are {_SHOWN}.{hint}"
        raise InputError(msg)
    given = {name: value for name, value in fields.items() if name != "format"}
    if len(given) != 1:
        msg = f"src is one place, not {len(given)}: {', '.join(sorted(given)) or 'none given'}"
        raise InputError(msg)
    ((name, value),) = given.items()
    check_format("src", fields.get("format"), name)
    return _from_field(name, value)


def _from_field(name: str, value: Any) -> BatchSource:
    if name == "inlinedRequests":
        several = expand([value]) if fields_of(value) is not None else value
        if isinstance(several, str) or not isinstance(several, Iterable):
            msg = "inlined_requests is not a list of requests"
            raise InputError(msg)
        items = tuple(several)
        if not items:
            msg = "inlined_requests is empty: there is nothing to ask"
            raise InputError(msg)
        return BatchSource(inlined_requests=items)
    several = [address(each) for each in ([value] if isinstance(value, str) or is_path(value) else value)]
    if not several or (len(several) > 1 and name != "gcsUri"):
        msg = f"src has {len(several)} {name}: give one"
        raise InputError(msg)
    if name == "path":
        return _from_path(str(several[0]))
    sources = [_from_text(str(text)) for text in several]
    wanted = {"gcsUri": "gcs_uri", "bigqueryUri": "bigquery_uri", "fileName": "file_name"}[name]
    if not all(getattr(source, wanted) for source in sources):
        msg = f"src has {wanted} = {value!r}, which is not one"
        raise InputError(msg)
    return sources[0] if name != "gcsUri" else BatchSource(gcs_uri=tuple(s.gcs_uri[0] for s in sources))


def check_format(what: str, given: Any, place: str) -> None:
    """Refuse a ``format`` that contradicts the place: Cloud Storage is ``jsonl``, BigQuery ``bigquery``.

    Raises:
        InputError: they contradict each other.
    """
    if given is None or given == _FORMATS.get(place):
        return
    right = _FORMATS.get(place, "without a format")
    msg = f"{what} says format {given!r} of a {place}, which is {right}: leave it out"
    raise InputError(msg)


def _object(text: str) -> str:
    if not _OBJECT.fullmatch(text):
        msg = f"{text} does not name an object: write gs://bucket/path.jsonl"
        raise InputError(msg)
    return text


def _no_datasets(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name} is a multimodal dataset, which is not supported: give its BigQuery table (bq://…)"
    )
