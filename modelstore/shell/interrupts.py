"""Ctrl-C while statements run: it stops the statement, training included, and not the shell.

Python runs signal handlers in the main thread between two of its instructions, and DuckDB seldom lets it: a statement
could go on for long. So another thread watches for the signal.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modelstore.connection import Connection
from modelstore.interruption import stopped_by


@contextmanager
def ctrl_c_stops(connection: Connection) -> Iterator[threading.Event]:
    """Within the block, Ctrl-C interrupts the connection's statement.

    A second Ctrl-C is a ``KeyboardInterrupt``, for code that does not check whether it is to stop.

    Yields
    ------
    threading.Event
        Set once Ctrl-C was pressed.
    """
    pressed = threading.Event()
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        with stopped_by(pressed):
            yield pressed
        return
    receiving, sending = socket.socketpair()
    sending.setblocking(False)

    def watch() -> None:
        while number := receiving.recv(1):
            if number[0] == signal.SIGINT:
                pressed.set()
                connection.interrupt()

    presses = 0

    def on_signal(*_: object) -> None:
        nonlocal presses
        presses += 1
        if presses > 1:
            raise KeyboardInterrupt

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    before = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, on_signal)
    try:
        with stopped_by(pressed):
            yield pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.set_wakeup_fd(before)
        sending.close()
        watcher.join()
        receiving.close()
