"""What other libraries print is kept from the user's terminal, and their settings are left as they were."""

from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging

from modelstore.libraries import quiet


def settings() -> tuple[int, bool, bool]:
    return logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()


def test_the_libraries_are_quiet_until_the_last_block_ends() -> None:
    """As threads' blocks do, these overlap: the first to begin is the first to end."""
    before = settings()
    first, second = quiet(), quiet()
    with first:
        second.__enter__()
        muted = settings()
    assert settings() == muted == (logging.CRITICAL, False, True)
    second.__exit__(None, None, None)
    assert settings() == before
    with quiet():
        assert settings() == muted
    assert settings() == before
