"""Ports for servers that tests start, each in a process of its own."""

import socket


def hold_port() -> socket.socket:
    """Returns a socket bound to a free port of this machine, which its server binds as well.

    While it is open the system gives the port to nobody who asks for any: not to another process
    that chooses one, not to a client. Both reuse addresses, and this one never listens.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
