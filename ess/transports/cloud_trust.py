"""TLS towards the cloud: whom this node trusts, and what it shows."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from common.runtime.tls import trust_whatever_the_time

log = logging.getLogger(__name__)

#: This was written later, so a clock that says less is wrong: a box without a battery begins at 1970.
_CERTAINLY_PAST = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class CloudTrust:
    """The context of every connection to the cloud."""

    def __init__(self, context: ssl.SSLContext, now_seconds: Callable[[], float]) -> None:
        self.context = context
        self._now_seconds = now_seconds
        self._is_clock_wrong = False

    def show(self, identity: Path) -> None:
        """Connections from now on show this certificate. Raises OSError."""
        self.context.load_cert_chain(identity)

    def consider_clock(self) -> None:
        """To a clock that is certainly wrong every certificate is from the future: its word about dates does not count.

        Who signed the cloud's certificate and for which name is checked as ever.
        """
        is_wrong = self._now_seconds() < _CERTAINLY_PAST
        if is_wrong != self._is_clock_wrong:
            log.warning("clock_is_wrong" if is_wrong else "clock_is_plausible_again")
        self._is_clock_wrong = is_wrong
        trust_whatever_the_time(self.context, ignores_time=is_wrong)
