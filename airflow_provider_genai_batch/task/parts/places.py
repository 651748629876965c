"""The addresses at which a group of tasks keeps the requests and the rows of its parts."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.results.sinks import form_of
from airflow_provider_genai_batch.wire.tables.sql import is_table, read_table


def is_dataset(results_uri: str) -> bool:
    """Whether each part keeps its own file: the address has a ``*`` in place of the part's number."""
    return "*" in results_uri and not is_table(results_uri)


def check_dataset(results_uri: str) -> None:
    """Refuse the address of a dataset that does not have exactly one ``*``, in the name of the file.

    Raises:
        InputError: it does not.
    """
    if not is_dataset(results_uri):
        return
    folder, _, name = results_uri.rpartition("/")
    if "*" in folder or name.count("*") != 1:
        msg = (
            f"results_uri={results_uri!r}: the number of a part takes the place of one *, in the name of the file. "
            "Write for example gs://bucket/{{ ds }}/rows-*.parquet."
        )
        raise InputError(msg)


@dataclass(frozen=True)
class Places:
    """The addresses of parts.

    Attributes:
        results_uri: where the rows of all parts land: a file, a table, or with ``*`` one file for each part.
        run: a text that is different for each run of the group.
        staging_uri: a folder in object storage, if there is one.
    """

    results_uri: str
    run: str
    staging_uri: str | None = None

    def requests(self, number: int, form: str) -> str:
        """Return the address of a part's input, which is requests or the rows of a table.

        Raises:
            InputError: the rows land in tables, and there is no `staging_uri`.
        """
        if not is_table(self.results_uri):
            return f"{self._folder}/requests-{number:05d}.{form}"
        if self.staging_uri is None:
            msg = (
                "One file is cut into parts in object storage, and rows that land in a table leave no place for "
                'them: give "staging_uri" in the connection\'s extra, or src as several files.'
            )
            raise InputError(msg)
        return f"{self.staging_uri.rstrip('/')}/parts-{self.run}/requests-{number:05d}.{form}"

    def rows(self, number: int) -> str:
        """Return the address where the rows of a part land."""
        if is_table(self.results_uri):
            table = read_table(self.results_uri, "results_uri")
            return table.place.table(f"{table.table}_part_{self.run}_{number:05d}").uri
        if is_dataset(self.results_uri):
            return self.results_uri.replace("*", f"{number:05d}")
        return f"{self._folder}/rows-{number:05d}.{form_of(self.results_uri)}"

    @property
    def _folder(self) -> str:
        return f"{self.results_uri.replace('*', 'all')}.parts-{self.run}"
