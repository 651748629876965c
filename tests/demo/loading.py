"""Putting the texts where the example DAGs look for them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from tests.demo.texts import Text

_BATCH = 1000


def into_bigquery(texts: Iterable[Text], client: bigquery.Client, dataset: str) -> int:
    """Fill the table ``texts`` of a new dataset, by Google's own client.

    Args:
        texts: What to load.
        client: Of the project.
        dataset: Its name.

    Returns:
        The number of rows.
    """
    client.create_dataset(dataset)
    schema = [bigquery.SchemaField("id", "STRING"), bigquery.SchemaField("text", "STRING")]
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.texts", schema))
    rows = ({"id": text.key, "text": text.text} for text in texts)
    total = 0
    while batch := list(islice(rows, _BATCH)):
        if errors := client.insert_rows_json(table, batch):
            message = f"BigQuery refused rows: {errors[:3]}"
            raise RuntimeError(message)
        total += len(batch)
    return total


def into_jsonl(texts: Iterable[Text], path: Path) -> int:
    """Write a request for every text, a line each, as the Gemini API reads them.

    Args:
        texts: What to ask about.
        path: The file.

    Returns:
        The number of lines.
    """
    total = 0
    with path.open("w", encoding="utf-8") as lines:
        for text in texts:
            question = f"Is this tweet positive, negative or neutral?\n\n{text.text}"
            request = {"contents": [{"role": "user", "parts": [{"text": question}]}]}
            lines.write(json.dumps({"key": text.key, "request": request}, ensure_ascii=False) + "\n")
            total += 1
    return total


def client_of(project: str, url: str) -> closing[bigquery.Client]:
    """Return Google's client of an emulated BigQuery, to be used in a ``with``.

    Args:
        project: The project.
        url: Where BigQuery is.
    """
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return closing(
        bigquery.Client(project=project, credentials=credentials, client_options={"api_endpoint": url})
    )
