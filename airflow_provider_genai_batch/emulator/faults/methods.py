"""The methods that the emulator serves, by Google's own ids."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        id: Google's id, as in the discovery documents.
        reply: ``json``, ``bytes`` (a download) or ``empty`` (headers only).
    """

    id: str
    reply: str = "json"

    @property
    def service(self) -> str:
        """The service whose credentials are checked: ``gemini``, ``vertex``, ``iam`` or ``open``."""
        if self.id in {"files.upload", "files.query", "files.cancel"}:
            # Whoever has the upload URL may use it: Google's own client sends no key with the bytes.
            return "open"
        family = self.id.split(".", 1)[0]
        return {
            "batches": "gemini",
            "files": "gemini",
            "models": "gemini",
            "oauth": "open",
            "iam": "iam",
        }.get(family, "vertex")


METHODS: dict[str, Method] = {
    one.id: one
    for one in (
        Method("batches.create"),
        Method("batches.createEmbeddings"),
        Method("batches.get"),
        Method("batches.list"),
        Method("batches.cancel"),
        Method("batches.delete"),
        Method("files.start", "empty"),
        Method("files.upload"),
        Method("files.query", "empty"),
        Method("files.cancel", "empty"),
        Method("files.get"),
        Method("files.list"),
        Method("files.delete"),
        Method("files.download", "bytes"),
        Method("batchPredictionJobs.create"),
        Method("batchPredictionJobs.get"),
        Method("batchPredictionJobs.list"),
        Method("batchPredictionJobs.cancel"),
        Method("batchPredictionJobs.delete"),
        Method("operations.get"),
        Method("models.generateContent"),
        Method("models.embedContent"),
        Method("models.batchEmbedContents"),
        Method("models.countTokens"),
        Method("publishers.models.generateContent"),
        Method("publishers.models.countTokens"),
        Method("oauth.token"),
        Method("iam.generateAccessToken"),
    )
}
