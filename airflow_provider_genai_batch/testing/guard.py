"""Notices whoever wants to reach Google, at the two places that all Python code passes: a host's name, and TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_HOSTS = ("googleapis.com", "google.com", "google.internal", "goog")
_METADATA = "169.254.169.254"


class RealGoogleReached(AssertionError):
    """A test wanted to reach a host of Google's. No `OSError`: nobody is to take it for trouble that may pass."""


def is_google(host: object) -> bool:
    """Tell whether a host is Google's."""
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    name = host.rstrip(".").lower() if isinstance(host, str) else ""
    return name == _METADATA or any(name == known or name.endswith(f".{known}") for known in _HOSTS)


@contextmanager
def guarded() -> Iterator[list[str]]:
    """Let nothing of this process through to Google until the block ends.

    gRPC resolves names by itself and passes by; so does what runs in other processes.

    Yields:
        The hosts that were asked for, in order.
    """
    reached: list[str] = []

    def checked(real: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
        def check(*args: Any, **kwargs: Any) -> Any:
            host = host_of(*args, **kwargs)
            if is_google(host):
                name = host.decode() if isinstance(host, bytes) else str(host)
                reached.append(name)
                msg = f"{name} is Google's own, and this test must not reach it. Does its connection name the emulator?"
                raise RealGoogleReached(msg)
            return real(*args, **kwargs)

        return check

    def of_lookup(host: object, *_: Any, **__: Any) -> object:
        return host

    def of_address(_: Any, address: Any) -> object:
        return address[0] if isinstance(address, tuple) else None

    def of_tls(*_: Any, server_hostname: object = None, **__: Any) -> object:
        return server_hostname

    places: list[tuple[Any, str, Callable[..., object]]] = [
        (socket, "getaddrinfo", of_lookup),
        (socket.socket, "connect", of_address),
        (ssl.SSLContext, "wrap_socket", of_tls),
        (ssl.SSLContext, "wrap_bio", of_tls),
    ]
    real = [getattr(owner, name) for owner, name, _ in places]
    own = [name in vars(owner) for owner, name, _ in places]
    for (owner, name, host_of), function in zip(places, real, strict=True):
        setattr(owner, name, checked(function, host_of))
    try:
        yield reached
    finally:
        for (owner, name, _), function, had in zip(places, real, own, strict=True):
            if had:
                setattr(owner, name, function)
            else:
                delattr(owner, name)
