"""Any sequence of operations on a payload, against a model of it."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from common.domain.chunks import Coverage
from common.store.payload_tables import CHUNK_BYTES
from common.sync.payloads import PayloadIncomplete, PayloadSealed, PayloadWriter
from tests.support.payload_places import NAME, Place
from tests.support.payload_process import content_of


class PayloadMachine(RuleBasedStateMachine):
    """One payload against a model: which bytes of its only possible content are known to be durable."""

    SIZE_BYTES = 2 * CHUNK_BYTES + 1234
    CONTENT = content_of(NAME, SIZE_BYTES)
    POSITIONS = st.one_of(
        st.sampled_from([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, SIZE_BYTES]),
        st.integers(0, SIZE_BYTES),
    )

    place: ClassVar[Place]
    writer: PayloadWriter | None = None

    @initialize()
    def start(self) -> None:
        self.reopen_store()
        self.store.delete(NAME)
        self.forget()

    def forget(self) -> None:
        self.flushed = Coverage()
        self.unflushed = Coverage()
        self.reach = 0
        self.sealed_bytes: int | None = None

    @rule(start=POSITIONS, end=POSITIONS)
    def write(self, start: int, end: int) -> None:
        start, end = sorted((start, end))
        if self.sealed_bytes is None:
            self.writer = self.writer or self.store.writer(NAME)
            self.writer.write(start, self.CONTENT[start:end])
            self.unflushed = self.unflushed.add(start, end)
            self.reach = max(self.reach, end if start < end else 0)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def flush(self) -> None:
        assert self.writer is not None
        if self.sealed_bytes is None:
            self.writer.flush()
            self.flushed = Coverage.of([*self.flushed.ranges, *self.unflushed.ranges])
            self.unflushed = Coverage()

    @rule()
    def close_writer(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None
        self.unflushed = Coverage()

    @rule()
    def reopen_store(self) -> None:
        self.close_writer()
        self.store = self.place.open()

    @rule(start=POSITIONS, end=POSITIONS)
    def read_staged(self, start: int, end: int) -> None:
        start, end = sorted((start, end))
        piece = self.store.read_staged(NAME, start, end) if self.sealed_bytes is None else b""
        for durable in self.flushed.ranges if self.sealed_bytes is None else ():
            first, last = max(start, durable.start), min(end, durable.end, start + len(piece))
            if first < last:
                assert piece[first - start : last - start] == self.CONTENT[first:last]
            if durable.start <= start and end <= durable.end:
                assert len(piece) == end - start

    @rule(size_bytes=POSITIONS)
    def seal(self, size_bytes: int) -> None:
        if self.sealed_bytes is not None:
            if size_bytes != self.sealed_bytes:
                with pytest.raises(PayloadSealed):
                    self.store.seal(NAME, size_bytes)
            else:
                self.store.seal(NAME, size_bytes)
        elif self.flushed.covers(size_bytes):
            self.close_writer()
            self.store.seal(NAME, size_bytes)
            self.sealed_bytes = size_bytes
        elif size_bytes > self.reach:
            with pytest.raises(PayloadIncomplete):
                self.store.seal(NAME, size_bytes)

    @precondition(lambda self: self.sealed_bytes is not None)
    @rule(start=POSITIONS, end=POSITIONS)
    def read(self, start: int, end: int) -> None:
        start, end = sorted((start, end))
        assert self.store.read(NAME, start, end) == self.CONTENT[: self.sealed_bytes][start:end]

    @precondition(lambda self: self.sealed_bytes is not None)
    @rule()
    def delete(self) -> None:
        self.close_writer()
        self.store.delete(NAME)
        self.forget()

    def teardown(self) -> None:
        self.close_writer()


def test_any_sequence_of_operations_agrees_with_the_model(place: Place) -> None:
    class MachineHere(PayloadMachine):
        pass

    MachineHere.place = place
    run_state_machine_as_test(
        MachineHere,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
