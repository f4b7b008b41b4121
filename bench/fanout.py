"""One object to many nodes: how long the publisher waits, how long all nodes take, what a poll without news costs.

    python -m bench.fanout [--engine sqlite|postgres] [--nodes 10,100,1000] [--pending 10000]

The nodes are requests of this program; each speaks as itself.
"""

from __future__ import annotations

import json
import os
import time

from bench.common import client
from bench.common.client import Connection
from bench.common.command_line import numbers, parser_of
from bench.common.engines import Engine, running_engine
from bench.common.processes import CpuMeter
from bench.common.report import Report, percentile
from bench.common.services import Service, running

_PUBLISHES = 15
_EMPTY_POLLS = 500
_CONNECTIONS = 16
_FAN_OUT_SECONDS = 60.0


def run(engine_name: str, node_counts: list[int], pending: int) -> Report:
    report = Report("fanout", engine_name)
    report.heading(f"fan-out, CSS on {engine_name}")
    medians: list[float] = []
    with running_engine(engine_name) as engine, running("css", engine.directory / "css", engine.settings) as css:
        registered = 0
        for count in sorted(node_counts):
            _register(css, registered, count)
            registered = count
            medians.append(_publish(report, engine, css, count))
        if len(medians) > 1:
            growth = medians[-1] / medians[0]
            what = f"growth of the publish from {min(node_counts)} to {max(node_counts)} nodes"
            report.add(what, growth, "x", at_most=3)
        _measure_empty_polls(report, engine, css, registered, pending)
    report.save()
    return report


def _register(css: Service, first: int, end: int) -> None:
    client.closed_loop(css.port, [client.register_node(f"n{number}") for number in range(first, end)], _CONNECTIONS)


def _publish(report: Report, engine: Engine, css: Service, nodes: int) -> float:
    """Publish to all, several times, each time until every node has heard of it; the median seconds of the 204."""
    # A node's first poll is also written down as its sign of life, once a minute.
    _poll_all(css, nodes)
    answered: list[float] = []
    everyone: list[float] = []
    cpu, server_cpu = CpuMeter(lambda: [css.pid]), CpuMeter(engine.server_pids)
    with css.connection() as connection:
        for number in range(_PUBLISHES):
            put = client.put_object("news", f"f{nodes}-{number}", os.urandom(1024), destinationType=client.NODE_TYPE)
            started = time.perf_counter()
            connection.ask(put)
            answered.append(time.perf_counter() - started)
            _deliver_to_all(css, nodes)
            everyone.append(time.perf_counter() - started)
    is_largest = nodes >= 1000
    median_ms = percentile(answered, 50) * 1e3
    report.add(
        f"{nodes} nodes: publish answered, median of {_PUBLISHES}", median_ms, "ms", at_most=30 if is_largest else None
    )
    report.add(f"{nodes} nodes: publish answered, longest", max(answered) * 1e3, "ms")
    report.add(f"{nodes} nodes: until every node has polled it, median", percentile(everyone, 50) * 1e3, "ms")
    deliveries = _PUBLISHES * nodes
    report.add(f"{nodes} nodes: CPU of the CSS, poll included", cpu.spent_seconds() * 1e3 / deliveries, "ms/delivery")
    if engine.server_pid:
        report.add(
            f"{nodes} nodes: CPU of the database server", server_cpu.spent_seconds() * 1e3 / deliveries, "ms/delivery"
        )
    return percentile(answered, 50)


def _deliver_to_all(css: Service, nodes: int) -> None:
    """Poll as each node until it has heard of the object. Raises TimeoutError."""
    deadline = time.monotonic() + _FAN_OUT_SECONDS
    waiting = list(range(nodes))
    connections = [css.connection() for _ in range(min(_CONNECTIONS, nodes))]
    try:
        while waiting:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(waiting)} of {nodes} nodes heard nothing")
            waiting = [number for number in waiting if not _heard(connections[number % len(connections)], number)]
    finally:
        for connection in connections:
            connection.close()


def _heard(connection: Connection, number: int) -> bool:
    return bool(connection.ask(client.poll(f"n{number}")).body)


def _poll_all(css: Service, nodes: int) -> None:
    with css.connection() as connection:
        for number in range(nodes):
            connection.ask(client.poll(f"n{number}"))


def _measure_empty_polls(report: Report, engine: Engine, css: Service, nodes: int, pending: int) -> None:
    """As a node that is up to date while `pending` objects wait for another one."""
    prepared = [
        client.put_object("pile", f"p{number}", b"x", destinationType=client.NODE_TYPE, destinationID="n1")
        for number in range(pending)
    ]
    client.closed_loop(css.port, prepared, 64)
    with css.connection() as connection:
        connection.ask(client.register_node("idle"))
    _acknowledge_everything(css, "idle")
    poll = client.poll("idle")
    seconds: list[float] = []
    cpu, server_cpu = CpuMeter(lambda: [css.pid]), CpuMeter(engine.server_pids)
    with css.connection() as connection:
        for _ in range(_EMPTY_POLLS):
            started = time.perf_counter()
            if connection.ask(poll).body:
                raise AssertionError("the poll was not empty")
            seconds.append(time.perf_counter() - started)
    what = f"empty poll, {nodes} nodes, {pending} objects pending for another"
    report.add(f"{what}: CPU", (cpu.spent_seconds() + server_cpu.spent_seconds()) * 1e3 / _EMPTY_POLLS, "ms", at_most=1)
    report.add("empty poll: p50", percentile(seconds, 50) * 1e3, "ms")
    report.add("empty poll: p99", percentile(seconds, 99) * 1e3, "ms")


def _acknowledge_everything(css: Service, node_id: str) -> None:
    """Answer each update of the node's outbox with `consumed`, until nothing is repeated."""
    with css.connection() as connection:
        while body := connection.ask(client.poll(node_id)).body:
            for item in json.loads(body):
                meta = item["MetaData"]
                path = f"/spi/v1/objects/{client.ORG}/{meta['objectType']}/{meta['objectID']}/{meta['instanceID']}/0/consumed"
                connection.ask(client.node_request("PUT", path, node_id))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--nodes", type=numbers, default="10,100,1000")
    parser.add_argument("--pending", type=int, default=10_000)
    options = parser.parse_args()
    run(options.engine, options.nodes, options.pending)


if __name__ == "__main__":
    main()
