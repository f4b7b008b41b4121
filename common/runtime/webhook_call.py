"""One call of a webhook: where it may go, what it says, how it ended."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from functools import cache
from urllib.parse import SplitResult, unquote, urljoin

import h11

from common.domain.errors import InvalidRequest
from common.domain.webhooks import Attempt, Outcome, WebhookFormat, checked_url
from common.protocol import cloud_events
from common.protocol.webhook_signature import identifying_headers
from common.runtime.http_call import Answer, Deadline, TlsContext, post
from common.runtime.network_policy import Address, NetworkPolicy
from common.runtime.resolver import Resolver
from common.runtime.tls import client_ssl_context

_MOST_REDIRECTS = 3
#: Those that may be answered with the same request. After 303 a GET would be due, which tells a receiver nothing.
_REDIRECTS = frozenset({301, 302, 307, 308})

#: The reference's own spelling.
_CONTENT_TYPES = {
    WebhookFormat.EDGESYNC: "Application/JSON",
    WebhookFormat.CLOUDEVENTS: cloud_events.CONTENT_TYPE,
}


class _Refused(Exception):
    """We do not go there; the text says why."""


@cache
def _system_trust() -> ssl.SSLContext:
    return client_ssl_context()


class WebhookCaller:
    """Calls receivers, only at addresses the policy allows, wherever names and redirects lead."""

    def __init__(
        self,
        policy: NetworkPolicy,
        limit_seconds: float,
        now_ms: Callable[[], int],
        resolver: Resolver | None = None,
        tls: TlsContext = _system_trust,
    ) -> None:
        self._policy = policy
        self._limit_seconds = limit_seconds
        self._now_ms = now_ms
        self._resolver = resolver or Resolver()
        self._tls = tls

    def call(self, attempt: Attempt) -> Outcome:
        """Takes no longer than the time limit. Raises nothing that a receiver can cause."""
        try:
            answer = self._follow(attempt, Deadline(self._limit_seconds))
        except _Refused as refusal:
            return Outcome(None, str(refusal))
        except TimeoutError:
            return Outcome(None, f"The receiver did not answer within {self._limit_seconds:g} s.")
        except ssl.SSLCertVerificationError as error:
            return Outcome(None, f"The receiver's certificate is not trusted: {error.verify_message}.")
        except OSError as error:
            return Outcome(None, f"The receiver cannot be reached: {error.strerror or error}.")
        except (h11.ProtocolError, UnicodeError):
            return Outcome(None, "The receiver broke off its answer, or it is not valid HTTP.")
        outcome = Outcome(answer.status)
        return outcome if outcome.is_success else Outcome(answer.status, f"The receiver answered {answer.status}.")

    def _follow(self, attempt: Attempt, deadline: Deadline) -> Answer:
        url = attempt.webhook.url
        body = attempt.event.body.encode()
        headers = {
            "User-Agent": "edgesync",
            "Accept": "*/*",
            "Content-Type": _CONTENT_TYPES[attempt.webhook.format],
            **identifying_headers(attempt.webhook.secret, attempt.event.id, self._now_ms(), body),
        }
        parts = checked_url(url)
        answer = self._post(parts, headers, body, deadline)
        for _ in range(_MOST_REDIRECTS):
            if answer.status not in _REDIRECTS or not answer.location:
                return answer
            url, parts = _redirected(url, parts, answer.location)
            answer = self._post(parts, headers, body, deadline)
        if answer.status in _REDIRECTS:
            raise _Refused(f"The receiver redirects more than {_MOST_REDIRECTS} times.")
        return answer

    def _post(self, url: SplitResult, headers: dict[str, str], body: bytes, deadline: Deadline) -> Answer:
        headers = headers | _authorization(url)
        addresses = self._allowed_addresses(url.hostname or "", deadline)
        for address in addresses[:-1]:
            try:
                return post(url, address, headers, body, deadline, self._tls)
            except ConnectionRefusedError:
                pass  # the next address of the name may be the one that listens
        return post(url, addresses[-1], headers, body, deadline, self._tls)

    def _allowed_addresses(self, host: str, deadline: Deadline) -> list[Address]:
        found = self._resolver.addresses(host, deadline.left_seconds())
        allowed = [address for address in found if self._policy.allows(address)]
        if not allowed:
            raise _Refused(f"The address of {host} is not one that webhooks may have (WebhookAllowedNetworks).")
        return allowed


def _redirected(url: str, before: SplitResult, location: str) -> tuple[str, SplitResult]:
    try:
        url = urljoin(url, location)
        parts = checked_url(url)
    except (InvalidRequest, ValueError) as error:
        raise _Refused("The receiver redirects to a URL that cannot be called.") from error
    if before.scheme == "https" and parts.scheme != "https":
        raise _Refused("The receiver redirects from https to http.")
    return url, parts


def _authorization(url: SplitResult) -> dict[str, str]:
    """A user and password in the URL are for its host alone."""
    if url.username is None:
        return {}
    credentials = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
