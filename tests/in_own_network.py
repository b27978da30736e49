"""Runs Python in a network namespace of its own, where nothing but this machine's loopback can be reached.

    python tests/in_own_network.py -m pytest -m cluster

The head of a Ray cluster asks addresses of clouds when it starts, and a test must not. Where the system allows no
such namespace, it says so, and ends as if all was well.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


def leave_network() -> None:
    """Moves this process to a new network; in a new user namespace, as the same user, where it is not root."""
    user, group = os.getuid(), os.getgid()
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(NEW_NETWORK) == 0:
        return
    if unshare(NEW_USER | NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as settings:
            settings.write(line)


def begin_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        state = fcntl.ioctl(any_socket, GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
        [flags] = struct.unpack_from("h", state, 16)
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | UP))


if __name__ == "__main__":
    try:
        leave_network()
        begin_loopback()
    except (OSError, AttributeError) as error:
        print(f"left out, as there can be no network namespace here ({error}): {' '.join(sys.argv[1:])}")
        sys.exit(0)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
