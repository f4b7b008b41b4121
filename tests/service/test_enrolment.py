"""Tokens are spent once, certificates follow each other, and revocation leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.domain.errors import Ignored, NotAuthenticated
from common.domain.ids import NodeKey
from common.sync.enrolment import NodeCertificate
from css.services import enrolment_tokens
from css.services.enrolment import Enrolments, Standing, Terms
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.memory_store import MemoryDatabase

NODE = NodeKey("acme", "camera", "c1")
TERMS = Terms(token_ms=1_000, certificate_ms=10_000, grace_ms=5_000)


class Cloud:
    """The use cases as transactions."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.database = MemoryDatabase(on_commit=lambda topics: None, clock=self.clock)
        self.enrolments = Enrolments(self.clock.now_ms, TERMS)

    def token(self) -> str:
        token, text = enrolment_tokens.mint(NODE, "ann", self.clock.now_ms(), TERMS.token_ms)
        self.database.write(lambda uow: self.enrolments.add_token(uow, token))
        return text

    def certificate(self, name: str) -> NodeCertificate:
        now_ms = self.clock.now_ms()
        return NodeCertificate(f"f-{name}", NODE, f"key-{name}", "PEM", now_ms, now_ms + TERMS.certificate_ms)

    def enrol(self, text: str, name: str) -> NodeCertificate:
        made = self.certificate(name)
        return self.database.write(lambda uow: self.enrolments.enrol(uow, text, made))

    def renew(self, presented: str, name: str) -> NodeCertificate:
        made = self.certificate(name)
        return self.database.write(lambda uow: self.enrolments.renew(uow, f"f-{presented}", made))

    def revoke(self) -> int:
        return self.database.write(lambda uow: self.enrolments.revoke(uow, NODE))

    def names(self) -> list[str]:
        stored = self.database.read(lambda uow: uow.enrolment.certificates_of(NODE))
        return [each.fingerprint.removeprefix("f-") for each in stored]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_a_token_is_spent_for_one_key(cloud: Cloud) -> None:
    text = cloud.token()
    first = cloud.enrol(text, "a")

    assert cloud.enrol(text, "a") == first
    with pytest.raises(NotAuthenticated):
        cloud.enrol(text, "b")
    assert cloud.names() == ["a"]


def test_a_token_ends(cloud: Cloud) -> None:
    text = cloud.token()
    cloud.clock.advance(ms=TERMS.token_ms)

    with pytest.raises(NotAuthenticated):
        cloud.enrol(text, "a")


@pytest.mark.parametrize(
    ("age_ms", "standing"),
    [
        (0, Standing.GOOD),
        (4_999, Standing.GOOD),
        (5_000, Standing.TO_BE_RENEWED),
        (9_999, Standing.TO_BE_RENEWED),
        (10_000, Standing.RENEWAL_ONLY),
        (14_999, Standing.RENEWAL_ONLY),
        (15_000, Standing.REFUSED),
    ],
)
def test_what_a_certificate_is_good_for_depends_on_its_age(cloud: Cloud, age_ms: int, standing: Standing) -> None:
    made = cloud.certificate("a")

    assert TERMS.standing(made, NOW_MS + age_ms) is standing
    assert TERMS.standing(replace(made, revoked_at_ms=NOW_MS), NOW_MS + age_ms) is Standing.REFUSED


def test_a_renewal_waits_for_half_time_and_ends_with_the_grace(cloud: Cloud) -> None:
    cloud.enrol(cloud.token(), "a")
    with pytest.raises(Ignored):
        cloud.renew("a", "b")

    cloud.clock.advance(seconds=14)
    assert cloud.renew("a", "b").fingerprint == "f-b"

    cloud.clock.advance(seconds=1)
    with pytest.raises(NotAuthenticated):
        cloud.renew("a", "c")


def test_a_renewal_whose_answer_was_lost_is_repeated_without_a_second_certificate(cloud: Cloud) -> None:
    cloud.enrol(cloud.token(), "a")
    cloud.clock.advance(seconds=6)

    assert cloud.renew("a", "b") == cloud.renew("a", "b")
    assert cloud.names() == ["a", "b"]


def test_only_the_certificate_in_use_and_the_next_are_kept(cloud: Cloud) -> None:
    cloud.enrol(cloud.token(), "a")
    for presented, name in [("a", "b"), ("b", "c"), ("c", "d")]:
        cloud.clock.advance(seconds=6)
        cloud.renew(presented, name)

    assert cloud.names() == ["c", "d"]


def test_nothing_of_a_revoked_node_counts(cloud: Cloud) -> None:
    spare = cloud.token()
    cloud.enrol(cloud.token(), "a")
    cloud.clock.advance(seconds=0.5)

    assert cloud.revoke() == 1

    with pytest.raises(NotAuthenticated):
        cloud.renew("a", "b")
    with pytest.raises(NotAuthenticated):
        cloud.enrol(spare, "b")
    assert cloud.revoke() == 0
    assert cloud.enrol(cloud.token(), "c").fingerprint == "f-c"


@pytest.mark.parametrize(
    "text", ["", "x", "enrol1..", "enrol1.a.b.c", "enrol2.a.b", "enrol1.é.b", "enrol1." + "x" * 500]
)
def test_what_is_no_token_is_refused(cloud: Cloud, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        cloud.enrol(text, "a")
