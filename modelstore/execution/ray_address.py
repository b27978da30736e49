"""The address of a Ray cluster, as people give it."""

import re

from modelstore.errors import TrainingError


def check_address(address: str) -> None:
    """Raises ``TrainingError`` for what is no address of a cluster."""
    if address.startswith("ray://"):
        host = address.removeprefix("ray://").partition(":")[0]
        raise TrainingError(
            f"{address} is the address of Ray's client server, through which models cannot be moved: give the "
            f"head's own address, such as {host}:6379"
        )
    if address != "auto" and not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:/\s]+):\d{1,5}", address):
        raise TrainingError(
            f"'{address}' is no address of a Ray cluster: give 'auto', or 'host:port' of its head"
        )
