"""The edge's calls for certificates: with a token, or with the certificate it has."""

from __future__ import annotations

import msgspec

from common.domain.errors import ProtocolViolation
from common.domain.ids import NodeKey
from common.protocol import routes
from common.protocol.enrolment import EnrolmentAnswer, EnrolmentRequest
from ess.transports.cloud_trust import CloudTrust
from ess.transports.http import check, is_loopback, translated
from ess.transports.http_library import httpx

_LONGEST_ANSWER_BYTES = 64 * 1024

_decode = msgspec.json.Decoder(EnrolmentAnswer).decode


class EnrolmentClient:
    """Each call has a connection of its own, which shows what there is to show now.

    Methods raise NotAuthenticated for a token or certificate that is refused, Ignored when a renewal is too early,
    Unavailable when the cloud cannot be reached, ProtocolViolation for an answer that makes no sense.
    """

    def __init__(self, base_url: str, node: NodeKey, trust: CloudTrust, timeout_seconds: float) -> None:
        self._base_url = base_url
        self._node = node
        self._trust = trust
        self._timeout_seconds = timeout_seconds

    def enrol(self, token: str, request: str) -> str:
        """The certificate for a request, both in PEM."""
        return self._call(routes.ENROL_PATH, EnrolmentRequest(request, token))

    def renew(self, request: str) -> str:
        """The next certificate."""
        return self._call(routes.RENEW_PATH, EnrolmentRequest(request))

    def _call(self, path: str, body: EnrolmentRequest) -> str:
        with translated(), self._client() as client:
            response = client.put(path, content=msgspec.json.encode(body))
            check(response)
            answer = response.content
        try:
            return _decode(answer[:_LONGEST_ANSWER_BYTES]).certificate
        except msgspec.MsgspecError as error:
            raise ProtocolViolation("The cloud's answer is no certificate.") from error

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._base_url,
            headers=[(routes.NODE_HEADER.encode(), routes.node_header(self._node))],
            verify=self._trust.context,
            timeout=self._timeout_seconds,
            follow_redirects=False,
            trust_env=not is_loopback(self._base_url),
        )
