"""What can go wrong, by who can act on it.

    SyncError
    ├── InvalidRequest          the caller: the request breaks a rule and never can succeed as it is
    │   └── TooLarge            … because it exceeds a limit
    ├── NotAuthenticated        the caller: we do not know who this is
    ├── Forbidden               the caller: known, but not allowed
    ├── NotFound                the caller: there is no such thing
    │   └── RangeNotSatisfiable … the bytes asked for do not exist
    │       └── RangeBeyondEnd  … asked by the rules of RFC 9110
    ├── AlreadyExists           the caller: what it wants to create is there
    ├── QuotaExceeded           the organization: it keeps as much as it may
    ├── PreconditionFailed      the caller: what it made its request depend on is not so (any more)
    ├── Ignored                 the peer: about an instance that is superseded or unknown; it may stop asking
    ├── UnknownNode             the peer: it has to register
    ├── ProtocolViolation       the peer: a message that has no place in the current state
    ├── VerificationFailed      the peer or publisher: bytes do not match what was declared
    └── Unavailable             time: try again later
        ├── OutcomeUnknown      … what was asked for may have happened
        └── TooManyRequests
            └── TooManyLogins   … that failed

Each carries one public sentence, safe to show to whoever asked. Everything else belongs into the log.
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of every error this project raises on purpose."""

    retryable = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n", 1)[0])


class InvalidRequest(SyncError):
    """The request is not valid."""


class TooLarge(InvalidRequest):
    """The request exceeds a limit."""


class NotAuthenticated(SyncError):
    """Unauthorized"""


class Forbidden(SyncError):
    """Unauthorized"""


class NotFound(SyncError):
    """There is no such object."""


class RangeNotSatisfiable(NotFound):
    """The range lies beyond the end of the data."""


class RangeBeyondEnd(RangeNotSatisfiable):
    """The range lies beyond the end of the data."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The range lies beyond the end of the data, which has {size_bytes} bytes.")
        self.size_bytes = size_bytes


class AlreadyExists(SyncError):
    """There is one already."""


class QuotaExceeded(SyncError):
    """The organization may not keep any more."""


class PreconditionFailed(SyncError):
    """The object is not in the version that the request depends on."""


class Ignored(SyncError):
    """The message is about an instance that is no longer current."""


class UnknownNode(SyncError):
    """The node is not registered."""


class ProtocolViolation(SyncError):
    """The message does not fit the state of the transfer."""


class VerificationFailed(SyncError):
    """The data does not match its declared size, digest or signature."""


class Unavailable(SyncError):
    """The service cannot do this right now; try again later."""

    retryable = True


class OutcomeUnknown(Unavailable):
    """The connection to the database broke; the change may have been made. Try again later."""


class TooManyRequests(Unavailable):
    """Too many requests at once; try again later."""

    def __init__(self, message: str = "", retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooManyLogins(TooManyRequests):
    """Too many failed logins; try again later."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("", retry_after_seconds)
