"""A throw-away service account, and the tokens that its key can get."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS, Clock
from airflow_provider_genai_batch.emulator.errors import ApiError

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
IAM = "https://www.googleapis.com/auth/iam"
RETRIEVER = "https://www.googleapis.com/auth/generative-language.retriever"
PROJECT = "emulator-project"
EMAIL = f"emulator@{PROJECT}.iam.gserviceaccount.com"

_PREFIX = "ya29.emulator."
_LONGEST_ASSERTION = 3600 + 60
_SKEW = 300
_BITS = 2048


class Tokens:
    """Issues and reads access tokens. They contain their own expiry, so nothing has to be kept."""

    def __init__(self, clock: Clock, ttl: int, pem: str | None = None) -> None:
        """Set the clock for the expiry of tokens, and a key from an earlier process.

        Args:
            clock: The clock.
            ttl: Seconds for which a token is valid.
            pem: Private key, PKCS 8; None: it is generated when first needed.
        """
        self._clock = clock
        self._ttl = ttl
        self._pem = pem
        self._lock = threading.Lock()

    @property
    def pem(self) -> str:
        """The private key."""
        with self._lock:
            if self._pem is None:
                self._pem = _new_key()
            return self._pem

    def account(self, token_uri: str) -> dict[str, str]:
        """Return the service-account key file."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": hashlib.sha256(self.pem.encode()).hexdigest()[:40],
            "private_key": self.pem,
            "client_email": EMAIL,
            "client_id": "100000000000000000001",
            "token_uri": token_uri,
        }

    def exchange(self, assertion: str) -> dict[str, Any]:
        """Return a token for a signed assertion of the service account.

        Raises:
            ApiError: The assertion is not signed with its key, has expired, or is of another account. The route
                answers it in OAuth's form.
        """
        claims = self._claims(assertion)
        if claims is None or claims.get("iss") != EMAIL:
            raise ApiError(400, "Invalid JWT Signature.")
        # The caller makes the assertion with its real clock, whatever time the emulator has.
        issued, expires = int(claims.get("iat", 0)), int(claims.get("exp", 0))
        if not issued < expires <= issued + _LONGEST_ASSERTION or expires < time.time() - _SKEW:
            raise ApiError(400, "Invalid JWT: Token must be a short-lived token (60 minutes).")
        return {
            "access_token": self.issue(str(claims.get("scope", ""))),
            "token_type": "Bearer",
            "expires_in": self._ttl,
        }

    def issue(self, scopes: str) -> str:
        """Return a new token.

        Args:
            scopes: Scopes, separated by spaces; empty: not known.
        """
        expiry = self._clock.now_ns() + self._ttl * NANOSECONDS
        payload = _encode(json.dumps([expiry, scopes, time.time_ns()]).encode())
        return f"{_PREFIX}{payload}.{self._seal(payload)}"

    def issued_here(self, token: str) -> bool:
        """Return whether a token looks like one that the emulator issued."""
        return token.startswith(_PREFIX)

    def refuses(self, token: str) -> bool:
        """Return whether a token issued here has expired or was changed; tokens from elsewhere are accepted."""
        if token.startswith(_PREFIX):
            payload, _, seal = token[len(_PREFIX) :].partition(".")
            if not hmac.compare_digest(seal, self._seal(payload)):
                return True
            return bool(json.loads(_decode(payload))[0] <= self._clock.now_ns())
        if token.count(".") == 2 and token.startswith("ey"):
            # Google's generated clients skip the token endpoint and send a JWT that they have signed.
            claims = self._claims(token)
            return claims is None or int(claims.get("exp", 0)) < time.time() - _SKEW
        return False

    def scopes(self, token: str) -> set[str] | None:
        """Return the scopes of a token issued here; ``None``: not known, so all."""
        if not token.startswith(_PREFIX):
            return None
        said = json.loads(_decode(token[len(_PREFIX) :].partition(".")[0]))[1]
        return set(said.split()) or None

    def _seal(self, payload: str) -> str:
        return hmac.new(self.pem.encode(), payload.encode(), hashlib.sha256).hexdigest()[:32]

    def _claims(self, assertion: str) -> dict[str, Any] | None:
        header, _, rest = assertion.partition(".")
        claims, _, signature = rest.partition(".")
        key = serialization.load_pem_private_key(self.pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            return None
        try:
            if json.loads(_decode(header)).get("alg") != "RS256":
                return None
            signed = f"{header}.{claims}".encode()
            key.public_key().verify(_decode(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            read = json.loads(_decode(claims))
        except (InvalidSignature, binascii.Error, ValueError):
            return None
        return read if isinstance(read, dict) else None


@lru_cache(maxsize=1)
def _new_key() -> str:
    """Generate the key once in a process, because that takes a noticeable part of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
