"""When is the next attempt? Exponential back-off; the randomness comes from the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Doubling delays between `first_ms` and `longest_ms`.

    >>> [RetryPolicy(first_ms=100, longest_ms=1000).ceiling_ms(n) for n in (1, 2, 3, 4, 5)]
    [100, 200, 400, 800, 1000]
    """

    first_ms: int
    longest_ms: int

    def ceiling_ms(self, attempts: int) -> int:
        """The longest wait after `attempts` attempts (counted from 1)."""
        # 2**40 × 1 ms is beyond any sensible longest_ms; the cap keeps the shift bounded.
        return min(self.longest_ms, self.first_ms << min(max(attempts, 1) - 1, 40))

    def delay_ms(self, attempts: int, random: float) -> int:
        """Full jitter: uniform between 0 and the ceiling, by a `random` in [0, 1).

        Spreading over the whole interval keeps a fleet that lost the cloud together from coming back together.
        """
        return int(self.ceiling_ms(attempts) * random)


#: Offers that stay unanswered. A peer that cannot acknowledge must not turn every poll into work (wire-protocol 0.1 rule 8).
OFFER_RETRY = RetryPolicy(first_ms=5_000, longest_ms=300_000)

#: How long a peer may sit on an announced transfer before it is offered again (the reference's 6 × ResendInterval).
ANNOUNCED_RETRY = RetryPolicy(first_ms=60_000, longest_ms=3_600_000)

#: Transfers the peer reported as failed.
FAILURE_RETRY = RetryPolicy(first_ms=5_000, longest_ms=600_000)
