"""A cloud, two edges, their applications, and the one who kills them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.crash.ledger import Key, Ledger
from tests.crash.report import IN_FLIGHT_BYTES, WINDOW_BYTES, Plan, Report
from tests.crash.workload import Actor, Publisher, Reader, Stream
from tests.support.apps import Application, wait_until
from tests.support.deployment import Deployment, deployment
from tests.support.faults import FaultProxy, fault_proxy
from tests.support.metering import TransferMeter
from tests.support.service_process import Service

_LARGE, _SMALL, _UP = "large", "small", "up"
_SMALL_BYTES = (1, 24 << 10)
_NODES = ["n1", "n2"]
_CLOUD = "cloud"


class Scenario:
    """One run. Everything the cloud hears passes through `link`."""

    def __init__(self, deployed: Deployment, link: FaultProxy, meter: TransferMeter, plan: Plan) -> None:
        self._deployed = deployed
        self._link = link
        self._meter = meter
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._ledger = Ledger()
        self._report = Report(plan, self._ledger, meter)
        self._publishers = self._hire_publishers()
        self._readers = self._hire_readers()

    def perform(self, say: Callable[[str], None]) -> Report:
        """From the first publication to the last check; `say` is told how it goes."""
        began_at = time.monotonic()
        for actor in (*self._publishers, *self._readers):
            actor.start()
        for number in range(1, self._plan.kills + 1):
            self._kill_something()
            if number % 10 == 0:
                say(f"{number} kills, {self._ledger.publications} publications acknowledged")
            if self._failures() or self._ledger.violations:
                break
        healed_at = time.monotonic()
        _dismiss(self._publishers)
        self._settle()
        self._report.settling_seconds = time.monotonic() - healed_at
        self._publish_once_more()
        _dismiss(self._readers)
        self._judge()
        self._report.seconds = time.monotonic() - began_at
        return self._report

    def _hire_publishers(self) -> list[Publisher]:
        large, up = ((size, size) for size in (self._plan.large_bytes, self._plan.up_bytes))
        to_nodes = {"destinationType": "node"}
        small = [
            Stream(Key(_SMALL, f"s{number:02}"), _SMALL_BYTES, _NODES, is_patient=number < 10, meta=to_nodes)
            for number in range(20)
        ]
        streams = {
            "patient publisher": [Stream(Key(_LARGE, "patient"), large, _NODES, is_patient=True, meta=to_nodes)],
            "hasty publisher": [Stream(Key(_LARGE, "hasty"), large, _NODES, is_patient=False, meta=to_nodes)],
            "small publisher": small,
            "edge publisher": [Stream(Key(_UP, "report"), up, [_CLOUD], is_patient=True)],
        }
        return [
            Publisher(
                name,
                self._deployed.edges[0].app if name == "edge publisher" else self._cloud_app,
                self._ledger,
                each,
                self._random.randrange(1 << 32),
            )
            for name, each in streams.items()
        ]

    def _hire_readers(self) -> list[Reader]:
        beside_edges = [
            Reader(name, edge.app, self._ledger, [_LARGE, _SMALL])
            for name, edge in zip(_NODES, self._deployed.edges, strict=True)
        ]
        return [*beside_edges, Reader(_CLOUD, self._deployed.cloud.app, self._ledger, [_UP])]

    def _cloud_app(self) -> Application:
        return self._deployed.cloud.app(via_port=self._link.port)

    def _kill_something(self) -> None:
        time.sleep(self._random.uniform(*self._plan.seconds_between_kills))
        cloud, edge = self._deployed.cloud, self._random.choice(self._deployed.edges)
        victims: dict[str, list[Service]] = {"edge": [edge], "cloud": [cloud], "both": [cloud, edge]}
        name = self._random.choice(list(victims))
        chosen = self._random.sample(victims[name], len(victims[name]))
        self._report.killed[name] += 1
        self._report.interrupted.update(self._meter.under_way() or {"nothing": 1})
        for victim in chosen:
            victim.kill()
        time.sleep(self._random.uniform(0, self._plan.longest_downtime_seconds))
        for victim in chosen:
            self._report.longest_start_seconds = max(self._report.longest_start_seconds, victim.start())

    def _settle(self) -> None:
        """What was acknowledged while services were killed is consumed everywhere."""
        with self._deployed.cloud.app() as app:
            for stream in self._streams():
                is_everywhere = self._until_consumed(app, stream)
                self._expect(is_everywhere, f"{stream.key} to be consumed everywhere")
                if stream.is_patient:
                    self._report.problems += self._ledger.missing(stream.key, stream.readers)

    def _until_consumed(self, app: Application, stream: Stream) -> Callable[[], bool]:
        if stream.readers == [_CLOUD]:
            return lambda: self._ledger.is_used_up(stream.key, stream.readers)
        return lambda: set(app.destinations(*stream.key).values()) <= {"consumed"}

    def _publish_once_more(self) -> None:
        """A reader may consume, unread, what replaced the version it has read; not so when nothing follows any more."""
        for publisher in self._publishers:
            publisher.publish_all()
        for stream in self._streams():
            used_up = self._until_used_up(stream)
            self._expect(used_up, f"the last version of {stream.key}")
            self._report.problems += self._ledger.missing(stream.key, stream.readers)

    def _until_used_up(self, stream: Stream) -> Callable[[], bool]:
        return lambda: self._ledger.is_used_up(stream.key, stream.readers)

    def _expect(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, what, timeout_seconds=self._plan.settling_seconds)
        except AssertionError as error:
            self._report.problems.append(str(error))

    def _judge(self) -> None:
        self._report.problems += self._failures()
        self._report.problems += self._ledger.violations
        most_bytes = max(self._meter.repeats(), default=0)
        if most_bytes > WINDOW_BYTES + IN_FLIGHT_BYTES:
            self._report.problems.append(f"{most_bytes} bytes of one transfer were sent again")

    def _failures(self) -> list[str]:
        return [f"{actor.name}: {actor.failure!r}" for actor in (*self._publishers, *self._readers) if actor.failure]

    def _streams(self) -> Iterator[Stream]:
        for publisher in self._publishers:
            yield from publisher.streams


def _dismiss(actors: Sequence[Actor]) -> None:
    for actor in actors:
        actor.stop()
    for actor in actors:
        actor.join()


@contextmanager
def prepared(directory: Path, database_url: str | None, plan: Plan) -> Iterator[Scenario]:
    """A scenario whose processes run, and end with the context. The cloud uses SQLite without `database_url`."""
    meter = TransferMeter()
    with ExitStack() as resources:
        deployed = resources.enter_context(deployment(directory, database_url))
        link = resources.enter_context(fault_proxy(deployed.cloud.port, meter.connection))
        link.bytes_per_second = plan.bytes_per_second
        for name in _NODES:
            deployed.edge("node", name, via_port=link.port)
        deployed.start()
        yield Scenario(deployed, link, meter, plan)
