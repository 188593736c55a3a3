"""Ports for servers of tests."""

import contextlib
import random
import socket

# Below those that the kernel gives to outgoing connections: a client that tries a stopped server again and again would
# else sooner or later be given the server's own port, and connect to itself; and so would another test's.
_FIRST, _END = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """Loopback ports, all different, that nobody listens on now."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            port = random.randrange(_FIRST, _END)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
    return found


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    return free_ports(1)[0]
