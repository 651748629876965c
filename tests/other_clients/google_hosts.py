"""Google's hosts on loopback: a proxy that ends TLS itself and has the emulator answer.

A client that knows no other address than Google's is pointed here by ``HTTPS_PROXY`` and a bundle of certificates;
nothing of it is changed, and nothing of what it says leaves the machine.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import Self

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-connection", "content-length"}
_LIFE = timedelta(days=2)
_VERBS = frozenset({"do_GET", "do_POST", "do_PUT", "do_PATCH", "do_DELETE", "do_HEAD"})
_UPLOAD_URL = "x-goog-upload-url"


class GoogleHosts:
    """The proxy; a context manager that serves."""

    def __init__(self, folder: Path, upstreams: Mapping[str, str]) -> None:
        """Choose who answers.

        Args:
            folder: Where certificates are kept.
            upstreams: Base URL on loopback by the end of a host's name.
        """
        self.certificates = folder / "authority.pem"
        self.refused: list[str] = []
        """Hosts that were asked and are nobody's here."""
        self._folder = folder
        self._upstreams = dict(upstreams)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = self._certificate("Loopback authority", self._key, None)
        self.certificates.write_bytes(self._authority.public_bytes(serialization.Encoding.PEM))
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        handler = type("_Handler", (_Handler,), {"hosts": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def upstream(self, host: str) -> str | None:
        """Return who answers for a host."""
        for ending, url in self._upstreams.items():
            if host == ending or host.endswith(("." + ending, "-" + ending)):
                return url
        self.refused.append(host)
        return None

    def context(self, host: str) -> ssl.SSLContext:
        """Return how to be that host."""
        with self._lock:
            if host not in self._contexts:
                key = ec.generate_private_key(ec.SECP256R1())
                path = self._folder / f"{host}.pem"
                private = key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                own = self._certificate(host, key, self._authority)
                path.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(path)
                context.set_alpn_protocols(["http/1.1"])
                self._contexts[host] = context
            return self._contexts[host]

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:60])])
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LIFE)
            .not_valid_after(now + _LIFE)
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer is not None:
            known = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(known, critical=False)
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection: plain first, and as a host of Google's after its CONNECT."""

    hosts: ClassVar[GoogleHosts]
    protocol_version = "HTTP/1.1"
    target: str | None = None
    host = ""

    def do_CONNECT(self) -> None:
        host = self.path.rsplit(":", 1)[0]
        self.host, self.target = host, self.hosts.upstream(host)
        if self.target is None:
            self.send_error(502, f"{host} is not on this machine")
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.hosts.context(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def _pass(self) -> None:
        if self.target is None:
            self.send_error(502, "only CONNECT is served")
            return
        upstream = urlsplit(self.target)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        asking = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=120)
        try:
            body = self._body()
            if body or self.command in {"POST", "PUT", "PATCH"}:
                headers["Content-Length"] = str(len(body))
            asking.request(self.command, self.path, body, headers)
            reply = asking.getresponse()
            # What answers sees plain HTTP, and hands out addresses that begin so.
            content = reply.read()
            if "json" in reply.headers.get("content-type", ""):
                content = content.replace(f"http://{self.host}/".encode(), f"https://{self.host}/".encode())
            self.send_response_only(reply.status, reply.reason)
            for name, value in reply.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    said = value.replace("http://", "https://", 1) if name.lower() == _UPLOAD_URL else value
                    self.send_header(name, said)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
        finally:
            asking.close()

    def __getattr__(self, name: str) -> Any:
        if name in _VERBS:
            return self._pass
        raise AttributeError(name)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""
