"""Applications that listen for events: what each costs while nothing happens, and how soon all of them hear of an object.

python -m bench.listeners [--engine sqlite|postgres] [--listeners 1000] [--objects 20] [--idle-seconds 30]
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.common import client
from bench.common.client import build
from bench.common.command_line import parser_of
from bench.common.engines import running_engine
from bench.common.processes import cpu_seconds, resident_bytes
from bench.common.report import Report, percentile
from bench.common.services import Service, edge_settings, running, wait_until_linked

_NODE = "n1"
_TYPE = "news"
_SETTLING_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 30.0


def run(engine_name: str, listeners: int, objects: int, idle_seconds: float) -> Report:
    report = Report("listeners", engine_name)
    with (
        running_engine(engine_name) as engine,
        running("css", engine.directory / "css", engine.settings) as css,
        running("ess", engine.directory / "ess", edge_settings(_NODE, css.port)) as ess,
    ):
        wait_until_linked(css, _NODE)
        for service, publisher in ((ess, css), (css, ess)):
            report.heading(f"{listeners} listeners on the {service.program.upper()}, CSS on {engine_name}")
            _measure(report, service, publisher, listeners, objects, idle_seconds)
    report.save()
    return report


def _measure(
    report: Report, service: Service, publisher: Service, listeners: int, objects: int, idle_seconds: float
) -> None:
    """`publisher` is at the other end of the link: what it publishes arrives at `service`."""
    with _listening(service, 1) as one:
        _spread(publisher, one, f"{service.program}-warm-up")
    time.sleep(_SETTLING_SECONDS)
    before = resident_bytes(service.pid)
    with _listening(service, listeners) as streams:
        time.sleep(_SETTLING_SECONDS)
        each = (resident_bytes(service.pid) - before) / len(streams)
        report.add("memory per idle listener", each / 1000, "KB", at_most=60)
        cpu, started = cpu_seconds(service.pid), time.monotonic()
        time.sleep(idle_seconds)
        share = (cpu_seconds(service.pid) - cpu) / (time.monotonic() - started)
        report.add(f"idle for {idle_seconds:.0f} s: CPU", share * 100, "%", at_most=2)
        _drain(streams)
        cpu = cpu_seconds(service.pid)
        seconds = [_spread(publisher, streams, f"{service.program}-{number}") for number in range(objects)]
        spent = (cpu_seconds(service.pid) - cpu) / (objects * len(streams))
        report.add(
            f"PUT at the other end to the last listener, median of {objects}", percentile(seconds, 50), "s", at_most=1
        )
        report.add("the same, longest", max(seconds), "s", at_most=1)
        report.add("CPU per event sent", spent * 1e6, "µs")
        report.add(
            "memory per listener after that",
            (resident_bytes(service.pid) - before) / len(streams) / 1000,
            "KB",
            at_most=60,
        )
    time.sleep(_SETTLING_SECONDS)
    report.add("memory left when all are gone", (resident_bytes(service.pid) - before) / 1e6, "MB")


@contextmanager
def _listening(service: Service, count: int) -> Iterator[list[socket.socket]]:
    """Open event streams, each past the head of its answer."""
    org = f"{client.ORG}/" if service.program == "css" else ""
    request = build("GET", f"/api/v1/objects/{org}{_TYPE}", headers=["Accept: text/event-stream"])
    streams: list[socket.socket] = []
    try:
        for _ in range(count):
            streams.append(client.connect(service.port))
            streams[-1].sendall(request)
        for stream in streams:
            received = b""
            while b"retry:" not in received:
                received += stream.recv(4096)
            stream.setblocking(False)
        yield streams
    finally:
        for stream in streams:
            stream.close()


def _publish(publisher: Service, object_id: str) -> None:
    with publisher.connection() as connection:
        connection.ask(client.put_object(_TYPE, object_id, b"x" * 1000, has_org=publisher.program == "css"))


def _spread(publisher: Service, streams: Sequence[socket.socket], object_id: str) -> float:
    """Seconds from the PUT to the last listener's event."""
    started = time.perf_counter()
    _publish(publisher, object_id)
    _wait_for(streams, object_id)
    return time.perf_counter() - started


def _wait_for(streams: Sequence[socket.socket], object_id: str) -> None:
    """Until every stream has shown that object. Raises TimeoutError."""
    wanted = f'"{object_id}"'.encode()
    waiting = {stream.fileno(): (stream, b"") for stream in streams}
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    with select.epoll() as epoll:
        for descriptor in waiting:
            epoll.register(descriptor, select.EPOLLIN)
        while waiting:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(waiting)} listeners did not hear of {object_id}")
            for descriptor, _ in epoll.poll(1):
                stream, received = waiting[descriptor]
                received += stream.recv(1 << 16)
                waiting[descriptor] = (stream, received)
                if wanted in received:
                    epoll.unregister(descriptor)
                    del waiting[descriptor]


def _drain(streams: Sequence[socket.socket]) -> None:
    """Take what heartbeats have left behind."""
    for stream in streams:
        with contextlib.suppress(BlockingIOError):
            while stream.recv(1 << 16):
                pass


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    options = parser.parse_args()
    run(options.engine, options.listeners, options.objects, options.idle_seconds)


if __name__ == "__main__":
    main()
