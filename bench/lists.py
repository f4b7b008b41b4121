"""How soon each list of a large organization begins, and what the CSS weighs while a client takes all of it.

python -m bench.lists [--engine sqlite|postgres] [--objects 10000] [--nodes 1000] [--trials 30]

One object in a hundred goes to every node, one in ten to a list of ten, one in twenty has a policy; the others go to
one node each.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Self

from bench.common import client
from bench.common.client import ADMIN_KEY, HOST, NODE_TYPE, ORG, closed_loop
from bench.common.command_line import parser_of
from bench.common.engines import running_engine
from bench.common.processes import cpu_seconds, resident_bytes
from bench.common.report import Report, percentile
from bench.common.services import Service, running

#: Has nothing in common with the numbers below: each type has some of everything.
_TYPES = 19
_LIST_NODES = 10
_PAGE = 100
_LARGEST_PAGE = 1000
_MOST_MS = 100
_SAMPLE_SECONDS = 0.02
#: CPU seconds per second of a service that has nothing to do.
_IDLE_CPU = 0.05
_AUTHORIZATION = {"Authorization": f"Basic {b64encode(f'{ADMIN_KEY}:secret'.encode()).decode()}"}

_OBJECTS = f"/api/v1/objects/{ORG}"
_FILTERS = f"{_OBJECTS}?filters=true"
_POLICIES = f"{_OBJECTS}?destination_policy=true"
#: By what the report calls them.
_LISTS = {
    "policies, not received": _POLICIES,
    "policies, all": f"{_POLICIES}&received=true",
    "policies since": f"{_POLICIES}&since=1",
    "policies of a service": f"{_POLICIES}&service=vendor/camera",
    "filters: none": _FILTERS,
    "filters: type": f"{_FILTERS}&objectType=t1",
    "filters: one object": f"{_FILTERS}&objectType=t1&objectID=o00001",
    "filters: with a policy": f"{_FILTERS}&destinationPolicy=true",
    "filters: without a policy": f"{_FILTERS}&destinationPolicy=false",
    "filters: policy property": f"{_FILTERS}&destinationPolicy=true&dpPropertyName=rare",
    "filters: policy service": f"{_FILTERS}&destinationPolicy=true&dpService=vendor/camera",
    "filters: policy since": f"{_FILTERS}&destinationPolicy=true&since=2000-01-01T00:00:00Z",
    "filters: destination type": f"{_FILTERS}&destinationType={NODE_TYPE}",
    "filters: destination": f"{_FILTERS}&destinationType={NODE_TYPE}&destinationID=n7",
    "filters: no such destination": f"{_FILTERS}&destinationType=none&destinationID=none",
    "filters: no data": f"{_FILTERS}&noData=true",
    "filters: expiration": f"{_FILTERS}&expirationTimeBefore=2099-12-31T00:00:00Z",
    "filters: deleted": f"{_FILTERS}&deleted=true",
    "types": f"{_OBJECTS}?list_object_type=true",
    "all objects of a type, with destinations": f"{_OBJECTS}/t0?all_objects=true",
    "updated objects of a type": f"{_OBJECTS}/t0",
    "nodes": f"/api/v1/destinations/{ORG}",
}
#: Objects for every node, of a type of their own.
_EVERYWHERE = 100
#: Taken whole, to see what they weigh.
_WHOLE = {
    "filters: none": _FILTERS,
    "all objects of a type": f"{_OBJECTS}/t0?all_objects=true",
    f"{_EVERYWHERE} objects for every node": f"{_OBJECTS}/everywhere?all_objects=true",
}


class _Reader:
    """A client that takes answers of any length without keeping them."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=300)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def begin(self, target: str) -> http.client.HTTPResponse:
        self._connection.request("GET", target, headers=_AUTHORIZATION)
        response = self._connection.getresponse()
        if response.status not in (200, 404):
            raise client.RequestFailed(f"{target}: {response.status}")
        return response

    def take(self, target: str) -> int:
        """Bytes of the whole answer."""
        response = self.begin(target)
        return sum(len(piece) for piece in iter(lambda: response.read(1 << 20), b""))

    def pages(self, target: str, limit: int) -> Iterator[int]:
        """Entries of one page after the other."""
        following: str | None = f"{target}{'&' if '?' in target else '?'}limit={limit}"
        while following is not None:
            response = self.begin(following)
            link = response.headers.get("link")
            yield len(json.loads(response.read() or b"[]"))
            following = link.partition(">")[0].removeprefix("<") if link else None


class _Watch:
    """The most a process weighs while this context lasts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.before_bytes = self.most_bytes = resident_bytes(pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(_SAMPLE_SECONDS):
            self.most_bytes = max(self.most_bytes, resident_bytes(self._pid))


def run(engine_name: str, objects: int, nodes: int, trials: int) -> Report:
    report = Report("lists", engine_name)
    report.heading(f"lists, {objects:,} objects, {nodes:,} nodes, CSS on {engine_name}")
    with running_engine(engine_name) as engine, running("css", engine.directory / "css", engine.settings) as css:
        _publish(css, objects, nodes)
        for name, target in _LISTS.items():
            _measure_first_page(report, css, name, target, trials)
        for name, target in _WHOLE.items():
            _measure_weight(report, css, name, target)
    report.save()
    return report


def _publish(css: Service, objects: int, nodes: int) -> None:
    closed_loop(css.port, [client.register_node(f"n{number}") for number in range(nodes)], 16)
    requests = [
        client.put_object(f"t{number % _TYPES}", f"o{number:05}", b"x" * 100, **_meta(number, nodes))
        for number in range(objects)
    ]
    requests += [client.put_object("everywhere", f"o{n:03}", destinationType=NODE_TYPE) for n in range(_EVERYWHERE)]
    closed_loop(css.port, requests, 64)
    deleted = [_delete(number) for number in range(0, objects, 500)]
    closed_loop(css.port, deleted, 8)
    _wait_until_idle(css)


def _meta(number: int, nodes: int) -> dict[str, Any]:
    meta: dict[str, Any] = {"destinationType": NODE_TYPE, "destinationID": f"n{number % nodes}"}
    if number % 100 == 0:
        meta = {"destinationType": NODE_TYPE}
    elif number % 20 == 1:
        service = {"orgID": "vendor", "arch": "*", "version": "1.0.0"}
        service["serviceName"] = "camera" if number % 500 == 1 else "other"
        name = "rare" if number % 500 == 1 else "common"
        meta = {"destinationPolicy": {"properties": [{"name": name, "value": 1}], "services": [service]}}
    elif number % 10 == 2:
        meta = {"destinationsList": [f"{NODE_TYPE}:n{(number + each) % nodes}" for each in range(_LIST_NODES)]}
    if number % 200 == 3:
        meta["expiration"] = "2099-01-01T00:00:00Z"
    if number % 100 == 4:
        meta["noData"] = True
    return meta


def _delete(number: int) -> bytes:
    return client.build("DELETE", client.object_path(f"t{number % _TYPES}", f"o{number:05}"))


def _wait_until_idle(css: Service) -> None:
    """Until fan-outs have reached every node."""
    before, after = -1.0, cpu_seconds(css.pid)
    while after - before > _IDLE_CPU:
        time.sleep(1)
        before, after = after, cpu_seconds(css.pid)


def _measure_first_page(report: Report, css: Service, name: str, target: str, trials: int) -> None:
    paged = f"{target}{'&' if '?' in target else '?'}limit={_PAGE}"
    with _Reader(css.port) as reader:
        reader.take(paged)
        page_ms = [_milliseconds(lambda: reader.take(paged)) for _ in range(trials)]
    first_ms = [_first_byte_ms(css.port, target) for _ in range(max(3, trials // 5))]
    report.add(f"{name}: page of {_PAGE}, median", percentile(page_ms, 50), "ms", at_most=_MOST_MS)
    report.add(f"{name}: whole list, first bytes, median", percentile(first_ms, 50), "ms", at_most=_MOST_MS)


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def _first_byte_ms(port: int, target: str) -> float:
    """The rest is not taken: the connection ends there."""
    with _Reader(port) as reader:
        return _milliseconds(lambda: reader.begin(target).read(1))


def _measure_weight(report: Report, css: Service, name: str, target: str) -> None:
    with _Watch(css.pid) as watch, _Reader(css.port) as reader:
        started = time.perf_counter()
        taken = reader.take(target)
        report.add(f"{name}: whole list taken, {taken / 1e6:.1f} MB", time.perf_counter() - started, "s")
    _report_weight(report, f"{name}: whole list", watch)
    with _Watch(css.pid) as watch, _Reader(css.port) as reader:
        started = time.perf_counter()
        entries = sum(reader.pages(target, _LARGEST_PAGE))
        report.add(f"{name}: taken in pages of {_LARGEST_PAGE}, {entries} entries", time.perf_counter() - started, "s")
    _report_weight(report, f"{name}: in pages", watch)


def _report_weight(report: Report, what: str, watch: _Watch) -> None:
    report.add(f"{what}, RSS of the CSS before", watch.before_bytes / 1e6, "MB")
    report.add(f"{what}, the most meanwhile", watch.most_bytes / 1e6, "MB")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args()
    run(options.engine, options.objects, options.nodes, options.trials)


if __name__ == "__main__":
    main()
