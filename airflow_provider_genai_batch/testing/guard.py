"""Detects attempts to reach Google in the functions that all Python code uses: name resolution, sockets and TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_HOSTS = ("googleapis.com", "google.com", "goog")
_METADATA = ("169.254.169.254", "metadata.google.internal")
"""Hosts of Google's metadata server. Libraries ask them whether they run on a machine of Google's; here they do not."""


class RealGoogleReached(AssertionError):
    """A test tried to reach one of Google's hosts. Not an `OSError`, so that nothing retries it."""


def is_google(host: object) -> bool:
    """Return whether a host is Google's."""
    name = _name(host)
    return any(name == known or name.endswith(f".{known}") for known in _HOSTS)


def _name(host: object) -> str:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    return host.rstrip(".").lower() if isinstance(host, str) else ""


def _of_lookup(host: object, *_: Any, **__: Any) -> object:
    return host


def _of_address(_: Any, address: Any) -> object:
    return address[0] if isinstance(address, tuple) else None


def _of_tls(*_: Any, server_hostname: object = None, **__: Any) -> object:
    return server_hostname


_PLACES: tuple[tuple[Any, str, Callable[..., object]], ...] = (
    (socket, "getaddrinfo", _of_lookup),
    (socket.socket, "connect", _of_address),
    (ssl.SSLContext, "wrap_socket", _of_tls),
    (ssl.SSLContext, "wrap_bio", _of_tls),
)
"""The owner and the name of each guarded function, and how to read the host from its arguments."""


@contextmanager
def guarded() -> Iterator[list[str]]:
    """Keep the code in this process from reaching Google until the block ends.

    It does not see gRPC, which resolves names by itself, or other processes.

    Yields:
        The hosts that code tried to reach, in order.
    """
    reached: list[str] = []
    with ExitStack() as stack:
        for owner, name, host_of in _PLACES:
            real, own = getattr(owner, name), name in vars(owner)
            setattr(owner, name, _checked(real, host_of, reached))
            stack.callback(setattr, owner, name, real) if own else stack.callback(delattr, owner, name)
        yield reached


def _checked(
    real: Callable[..., Any], host_of: Callable[..., object], reached: list[str]
) -> Callable[..., Any]:
    def check(*args: Any, **kwargs: Any) -> Any:
        name = _name(host_of(*args, **kwargs))
        if name in _METADATA:
            msg = f"{name} is not available in this test"
            raise ConnectionRefusedError(msg)
        if is_google(name):
            reached.append(name)
            msg = f"{name} is Google's own, and this test must not reach it. Does its connection name the emulator?"
            raise RealGoogleReached(msg)
        return real(*args, **kwargs)

    return check
