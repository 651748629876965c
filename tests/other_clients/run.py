"""Running one client against an emulator of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.other_clients.clients import Client
from tests.other_clients.environments import node_modules, node_version_of, python_of, version_of
from tests.other_clients.google_hosts import GoogleHosts

SECONDS = 180
"""What a client may take; each of them asks three rows."""

BUCKET = "other-clients"
_RIGHT = re.compile(r"^right: (\d+) of (\d+)$", re.MULTILINE)
_SCRIPTS = Path(__file__).with_name("scripts")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "UV_SYSTEM_CERTS")


@dataclass(frozen=True)
class Finding:
    """What became of a client.

    Attributes:
        version: Its release.
        completes: Whether it got through, and every answer was right.
        output: All that it said.
        refused: Hosts that it asked and that are not on this machine.
        calls: How many requests the emulator answered.
    """

    version: str
    completes: bool
    output: str
    refused: tuple[str, ...] = ()
    calls: int = 0


def run(client: Client, storage: CloudStorage) -> Finding:
    """Run a client to its end."""
    if client.is_node:
        place = node_modules(client.package)
        version = node_version_of(place, client.package)
        script = place / f"{client.name}.mjs"
        shutil.copyfile(_SCRIPTS / script.name, script)
        command = [shutil.which("node") or "node", str(script)]
    else:
        python = python_of(client.package, (client.package, *client.beside))
        version = version_of(python, client.package)
        command = [str(python), "-W", "ignore", str(_SCRIPTS / f"{client.name}.py")]
    lifecycle = Lifecycle(looks=1)
    with (
        tempfile.TemporaryDirectory(prefix="other-client-") as name,
        Emulator(storage=storage, lifecycle=lifecycle) as emulator,
    ):
        home = Path(name)
        account = home / "account.json"
        account.write_text(json.dumps(emulator.service_account_info()))
        upstreams = {
            "generativelanguage.googleapis.com": emulator.url,
            "aiplatform.googleapis.com": emulator.url,
            "storage.googleapis.com": emulator.storage_url,
        }
        with GoogleHosts(home, upstreams) as hosts:
            environment = _environment(client, home, account, hosts, emulator.url)
            code, output = _finished(command, environment, home)
        found = _RIGHT.search(output)
        good = code == 0 and found is not None and found[1] == found[2]
        return Finding(version, good, output, tuple(dict.fromkeys(hosts.refused)), len(emulator.requests))


def _environment(client: Client, home: Path, account: Path, hosts: GoogleHosts, url: str) -> dict[str, str]:
    bundle = str(hosts.certificates)
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "NO_PROXY": "127.0.0.1,localhost",
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "GOOGLE_CLOUD_PROJECT": "emulator-project",
        "GEMINI_BUCKET_NAME": BUCKET,
        "GOOGLE_API_KEY": "any",
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(
            {
                "conn_type": "google_cloud_platform",
                "extra": {"key_path": str(account), "project": "emulator-project"},
            }
        ),
    }
    if client.is_node:
        return {**environment, "GOOGLE_GEMINI_BASE_URL": url}
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), hosts.url)
    bundles = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    return {**environment, **proxy, **dict.fromkeys(bundles, bundle)}


def _finished(command: list[str], environment: dict[str, str], home: Path) -> tuple[int, str]:
    """Return how a process ended and all that it said; one that takes too long is killed with its children."""
    path = home / "output"
    with path.open("wb") as target:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdout=target,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    text = path.read_text(errors="replace")
    return code, text if code >= 0 else f"{text}\nIt was still busy after {SECONDS} s."
