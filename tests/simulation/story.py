"""One seed from beginning to end."""

from __future__ import annotations

import logging
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from common.domain.addressing import GROUP_TYPE
from common.domain.ids import NodeKey, ObjectKey
from common.runtime import housekeeping
from tests.simulation import checkers
from tests.simulation.adversary import Adversary
from tests.simulation.model import Model
from tests.simulation.workload import TYPES, Administrator, Application, Publisher
from tests.simulation.world import ORG, Edge, OpenDatabase, World, scaled_down
from tests.support.manual_clock import NOW_MS

_GROUP = "g"

_TROUBLED_SECONDS = 120.0
#: The longest retry is an hour, and a clock may have gone wrong just after it began.
_PEACE_SECONDS = 3 * 3600.0
_LATEST_REQUEST_SECONDS = 35.0


class BugReport(logging.Handler):
    """Errors that production code reports as bugs of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.records.append(record)


def play(seed: int, open_database: OpenDatabase | None = None) -> World:
    """Raises AssertionError with the story's end when a promise was broken."""
    random = Random(seed)
    bugs = BugReport()
    world = World(seed, open_database)
    time = SimpleNamespace(time=lambda: NOW_MS / 1000 + world.scheduler.now)
    root = logging.getLogger()
    root.addHandler(bugs)
    try:
        with (
            scaled_down(inline_fan_out_nodes=random.choice([0, 1, 100]), page=random.choice([1, 2])),
            patch.object(housekeeping, "time", time),
        ):
            _Story(world, random, bugs).play()
    except AssertionError as error:
        error.add_note("\n".join([*list(world.scheduler.events)[-300:], f"again: EDGESYNC_SIM_SEEDS={seed}"]))
        raise
    finally:
        world.close()
        root.removeHandler(bugs)
    return world


class _Story:
    def __init__(self, world: World, random: Random, bugs: BugReport) -> None:
        self._world = world
        self._random = random
        self._bugs = bugs
        self._model = Model()
        self._publishers: list[Publisher] = []
        self._administrators: list[Administrator] = []
        self._applications: dict[str, Application] = {}

    def play(self) -> None:
        world, random = self._world, self._random
        nodes = [NodeKey(ORG, random.choice(["camera", "robot"]), f"n{n}") for n in range(random.randint(1, 3))]
        for node in nodes:
            world.add_edge(node)
        world.replicas.extend([None] * random.choice([0, 0, 1]))
        for index in range(len(world.replicas)):
            world.start_replica(index)
        adversary = Adversary(world, Random(random.random()), self._lose)
        self._start_edges()
        self._start_administrator()
        self._start_publishers(nodes)
        self._start_applications()
        world.scheduler.start("adversary", adversary.run)
        self._run(_TROUBLED_SECONDS, until_settled=False)
        adversary.make_peace()
        for application in self._applications.values():
            application.is_diligent = True
        self._run(_PEACE_SECONDS, until_settled=True)
        # What was held back in the network may still arrive, and must not change anything.
        self._run(_LATEST_REQUEST_SECONDS, until_settled=False)
        self._run(_PEACE_SECONDS, until_settled=True)
        assert not checkers.leaks(world), checkers.leaks(world)

    def _run(self, limit_seconds: float, *, until_settled: bool) -> None:
        world, start = self._world, self._world.scheduler.now
        end = start + limit_seconds
        while world.scheduler.now < end:
            world.scheduler.run(
                lambda: False, 1.0 if not until_settled else max(2.0, (world.scheduler.now - start) / 10)
            )
            self._check()
            if (
                until_settled
                and all(p.is_done for p in self._publishers)
                and all(a.is_done for a in self._administrators)
                and not checkers.unsettled(world, self._model)
            ):
                return
        if until_settled:
            complaints = checkers.unsettled(world, self._model)
            waiting = [p for p in self._publishers if not p.is_done]
            raise AssertionError("\n".join(["not settled:", *complaints, *(f"{p._history.key}" for p in waiting)]))

    def _check(self) -> None:
        if self._bugs.records:
            record = self._bugs.records[0]
            assert record.exc_info is not None
            raise AssertionError(record.getMessage()) from record.exc_info[1]
        checkers.check_safety(self._world, self._model)

    def _start_edges(self) -> None:
        for edge in self._world.edges:
            delay_seconds = self._random.choice([0.0, 0.0, 20.0, 70.0])
            self._world.scheduler.start(f"start {edge.name}", partial(self._start_edge, edge, delay_seconds))

    def _start_edge(self, edge: Edge, delay_seconds: float) -> None:
        self._world.scheduler.sleep(delay_seconds)
        if edge.process is None:
            self._world.start_edge(edge)

    def _start_administrator(self) -> None:
        """Of the one group there is."""
        administrator = Administrator(self._world, self._model, _GROUP, Random(self._random.random()))
        self._administrators.append(administrator)
        definitions = self._random.randint(1, 6)
        self._world.scheduler.start("administrator", lambda: administrator.run(definitions))

    def _start_publishers(self, nodes: list[NodeKey]) -> None:
        random, world = self._random, self._world
        audiences: list[dict[str, Any]] = [
            {},
            {"destinationType": "camera"},
            {"destinationType": "robot"},
            {"destinationType": GROUP_TYPE, "destinationID": _GROUP},
            *({"destinationType": node.type, "destinationID": node.id} for node in nodes),
            {
                "destinationsList": [
                    f"{node.type}:{node.id}" for node in random.sample(nodes, random.randint(1, len(nodes)))
                ]
            },
        ]
        for n in range(random.randint(1, 4)):
            history = self._model.of(ObjectKey(ORG, random.choice(TYPES), f"down{n}"), "")
            self._start_publisher(Publisher(world, history, world.ask_cloud, Random(random.random()), audiences))
        for edge in world.edges:
            for n in range(random.randint(0, 3)):
                history = self._model.of(ObjectKey(ORG, random.choice(TYPES), f"up-{edge.name}-{n}"), edge.name)
                ask = partial(world.ask_edge, edge)
                self._start_publisher(Publisher(world, history, ask, Random(random.random()), [{}]))

    def _start_publisher(self, publisher: Publisher) -> None:
        self._publishers.append(publisher)
        requests = self._random.randint(3, 14)
        delay_seconds = self._random.uniform(0, _TROUBLED_SECONDS / 2)
        self._world.scheduler.start("publisher", lambda: publisher.run(delay_seconds, requests))

    def _start_applications(self) -> None:
        world = self._world
        for edge in [None, *world.edges]:
            name = edge.name if edge else "cloud"
            ask = partial(world.ask_edge, edge) if edge else world.ask_cloud
            application = Application(world, self._model, edge, ask, Random(self._random.random()))
            self._applications[name] = application
            world.scheduler.start(f"application {name}", application.run)

    def _lose(self, edge: Edge) -> None:
        self._applications[edge.name].forget()
        for history in self._model.of_owner(edge.name):
            history.is_lost = True
