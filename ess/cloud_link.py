"""This node's link with its cloud: the client, and the workers that use it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator

from common.domain.errors import SyncError
from common.domain.ids import cloud_of
from common.runtime.digests import RunningDigests
from common.runtime.hub import Hub
from common.runtime.logs import fields
from common.runtime.settings import StartError
from common.runtime.tls import client_ssl_context
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.authentication import Authenticator, HasCloudCredentials
from common.sync.engine import Engine
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from ess.config import EssConfig
from ess.services.cloud import Cloud
from ess.services.credentials import Credentials, FixedCredentials
from ess.services.inbox import Inbox
from ess.services.session import LINK_UP, Session
from ess.store.identity_files import IdentityFiles
from ess.transports.cloud_trust import CloudTrust
from ess.transports.enrolment import EnrolmentClient
from ess.transports.http import CloudClient, Timeouts
from ess.workers.answers import AnswerWorker
from ess.workers.credentials import NodeCredentials
from ess.workers.data_files import DataFiles
from ess.workers.fetcher import Fetcher
from ess.workers.in_flight import InFlight
from ess.workers.link import Link, Poller
from ess.workers.resend import WANTED, ResendWorker
from ess.workers.uplink import Uplink

log = logging.getLogger(__name__)

_FETCHERS = 3
_LARGE_FETCHES = 2
_UPLINKS = 2

#: How long the cloud gets to hear that this node leaves.
_FAREWELL_SECONDS = 5.0


class CloudLink:
    """Makes the workers, all of which wait for the one session that `poll_worker` keeps alive."""

    def __init__(
        self,
        config: EssConfig,
        client: Cloud,
        credentials: Credentials,
        database: Database,
        engine: Engine,
        hub: Hub,
        clock: Clock,
    ) -> None:
        self._config = config
        self._client = client
        self._credentials = credentials
        self._database = database
        self._engine = engine
        self._hub = hub
        self._clock = clock
        self._cloud = cloud_of(config.identity.org_id)
        self._session = Session(self._cloud, clock.now_ms)
        self._link = Link()

    def poll_worker(self) -> Worker:
        engine, settings = self._engine, self._config.link
        self._database.write(self._session.know_cloud)
        poller = Poller(
            self._client,
            self._database,
            self._session,
            Inbox(self._config.identity.node_key, self._cloud, engine.sender, engine.receiver),
            self._link,
            settings.usable_poll_wait_seconds,
            settings.poll_interval_seconds,
            self._credentials,
        )
        return Worker("poller", poller.turn, self._hub)

    def resend_worker(self) -> Worker:
        turn = ResendWorker(self._client, self._database, self._link).turn
        return Worker("resend", turn, self._hub, LINK_UP, WANTED)

    def transfer_workers(
        self, payloads: PayloadStore, digests: RunningDigests, data_files: DataFiles
    ) -> Iterator[Worker]:
        """Those that move data and answers."""
        yield from self._fetchers(payloads, digests, data_files)
        yield from self._uplinks(payloads)
        answers = AnswerWorker(
            self._client, self._database, self._engine.receiver, self._cloud, self._link, self._clock.now_ms
        )
        yield Worker("answers", answers.turn, self._hub, LINK_UP, wakeups.ANSWERS)

    async def unregister(self) -> None:
        """Leave for good; a later start registers as new. A cloud that cannot be reached does not keep anybody from stopping."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self._client.unregister), _FAREWELL_SECONDS)
        except (SyncError, TimeoutError) as error:
            log.warning("not_unregistered", extra=fields(reason=str(error) or type(error).__name__))
            return
        await asyncio.to_thread(self._database.write, self._session.forget_link)

    def _fetchers(self, payloads: PayloadStore, digests: RunningDigests, data_files: DataFiles) -> Iterator[Worker]:
        fetching = InFlight(_LARGE_FETCHES, self._clock.monotonic, self._engine.random)
        self._link.when_up(fetching.try_all_again)
        for number in range(_FETCHERS):
            fetcher = Fetcher(
                self._client,
                self._database,
                self._engine.receiver,
                payloads,
                digests,
                self._link,
                fetching,
                self._config.storage.small_payload_bytes,
                data_files,
            )
            yield Worker(f"fetcher-{number}", fetcher.turn, self._hub, LINK_UP, wakeups.FETCH)

    def _uplinks(self, payloads: PayloadStore) -> Iterator[Worker]:
        sending = InFlight(_UPLINKS, self._clock.monotonic, self._engine.random)
        for number in range(_UPLINKS):
            uplink = Uplink(
                self._client,
                self._database,
                self._engine.sender,
                payloads,
                self._cloud,
                self._link,
                sending,
                self._config.link.chunk_bytes,
                self._clock.now_ms,
            )
            yield Worker(f"uplink-{number}", uplink.turn, self._hub, LINK_UP, *wakeups.topics_of_node(self._cloud))


def connection_to_cloud(
    config: EssConfig, authenticator: Authenticator, clock: Clock
) -> tuple[CloudClient, Credentials]:
    """The client of the configured cloud, and how this node proves who it is. Raises StartError."""
    if not config.link.css_uses_tls:
        return _client(config, authenticator, verify=False), FixedCredentials()
    trust = CloudTrust(_tls_context(config), lambda: clock.now_ms() / 1000)
    trust.consider_clock()
    client = _client(config, authenticator, verify=trust.context)
    node = config.identity.node_key
    calls = EnrolmentClient(config.link.css_base_url, node, trust, config.link.control_timeout_seconds)
    files = IdentityFiles(config.storage.identity_directory)
    return client, NodeCredentials(node, files, trust, calls, client, config.enrolment.token, clock.monotonic)


def _client(config: EssConfig, authenticator: Authenticator, *, verify: ssl.SSLContext | bool) -> CloudClient:
    app_key, app_secret = config.css_app_key, config.link.css_app_secret.reveal()
    if isinstance(authenticator, HasCloudCredentials) and authenticator.cloud_credentials is not None:
        app_key, app_secret = authenticator.cloud_credentials
    timeouts = Timeouts(config.link.control_timeout_seconds, config.link.data_timeout_seconds)
    return CloudClient(
        config.link.css_base_url,
        config.identity.node_key,
        app_key,
        app_secret,
        verify,
        timeouts,
        config.identity.node_labels,
    )


def _tls_context(config: EssConfig) -> ssl.SSLContext:
    source = config.link.css_ca_certificate
    authority = source.text if source.is_pem or not source else str(source.path_below(config.storage.root))
    try:
        return client_ssl_context(authority, config.listening.minimum_tls)
    except OSError as error:
        raise StartError(f"Cannot use HTTPCSSCACertificate: {error}.") from error
