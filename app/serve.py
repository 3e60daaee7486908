"""The command `serve` up to where it becomes slow: who may come in, and the port. Both are told at once where they are
wrong; loading Gradio takes seconds.
"""

from __future__ import annotations

import ipaddress
import socket
import sys

from app.keys import Keys, read_keys
from app.settings import Settings
from providers.errors import ConfigurationError
from providers.local.launch import listen


def serve(settings: Settings) -> int:
    """Serves until it is told to stop; gives the exit status. Who connects while the rest is loaded waits for it."""
    try:
        keys = _keys(settings)
        listener = _listen(settings.host, settings.port)
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with listener:
        from app.server import serve_on

        return serve_on(listener, settings, keys)


def _keys(settings: Settings) -> Keys | None:
    """The keys, where there is a file. Raises `ConfigurationError` for an address that others reach without one."""
    if settings.auth_file:
        return read_keys(settings.auth_file)
    if not _is_loopback(settings.host):
        raise ConfigurationError(
            f"On {settings.host} others can reach this playground and spend on your account. Give it keys with "
            "--auth-file FILE (a line name:key for each person), or leave --host at 127.0.0.1."
        )
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(port, host)
    except OSError as error:
        raise OSError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Choose another port with --port."
        ) from error
