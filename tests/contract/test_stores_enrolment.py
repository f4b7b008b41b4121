"""What every EnrolmentStore promises."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace

from common.domain.ids import NodeKey
from common.sync.enrolment import Authority, EnrolmentToken, NodeCertificate, Place
from common.sync.ports import Database, UnitOfWork

CAMERA, GATE = NodeKey("acme", "camera", "c1"), NodeKey("acme", "gate", "c1")
FOREIGN = NodeKey("other", "camera", "c1")
START = Place()


def token(token_id: str, node: NodeKey = CAMERA, expires_at_ms: int = 2000, **members: str) -> EnrolmentToken:
    return EnrolmentToken(token_id, node, "sha256$salt$hash", "ann", 1000, expires_at_ms, **members)


def certificate(fingerprint: str, node: NodeKey = CAMERA, expires_at_ms: int = 2000) -> NodeCertificate:
    return NodeCertificate(fingerprint, node, f"key of {fingerprint}", "PEM", 1000, expires_at_ms)


def save(database: Database, *records: EnrolmentToken | NodeCertificate) -> None:
    def work(uow: UnitOfWork) -> None:
        for record in records:
            if isinstance(record, EnrolmentToken):
                uow.enrolment.save_token(record)
        uow.enrolment.save_certificates([each for each in records if isinstance(each, NodeCertificate)])

    database.write(work)


def tokens(database: Database, org: str = "acme", after: Place = START, limit: int = 100) -> list[str]:
    return [each.token_id for each in database.read(lambda uow: uow.enrolment.list_tokens(org, after, limit))]


def certificates(database: Database, org: str = "acme", after: Place = START, limit: int = 100) -> list[str]:
    return [each.fingerprint for each in database.read(lambda uow: uow.enrolment.list_certificates(org, after, limit))]


def test_the_first_authority_stays(database: Database) -> None:
    first, second = Authority("certificate 1", "key 1"), Authority("certificate 2", "key 2")
    assert database.read(lambda uow: uow.enrolment.authority()) is None

    assert database.write(lambda uow: uow.enrolment.keep_authority(first)) == first
    assert database.write(lambda uow: uow.enrolment.keep_authority(second)) == first
    assert database.read(lambda uow: uow.enrolment.authority()) == first


def test_replicas_that_start_together_agree_on_one_authority(database: Database) -> None:
    offers = [Authority(f"certificate {number}", f"key {number}") for number in range(8)]

    def keeping(offer: Authority) -> Callable[[UnitOfWork], Authority]:
        return lambda uow: uow.enrolment.keep_authority(offer)

    futures = [database.submit(keeping(offer)) for offer in offers]
    wait(futures)

    assert len({future.result() for future in futures}) == 1


def test_a_token_is_found_as_it_was_saved_last(database: Database) -> None:
    save(database, token("t1"), token("t2", GATE))
    save(database, token("t1", spent_for="abc"))

    assert database.read(lambda uow: uow.enrolment.find_token("t1")) == token("t1", spent_for="abc")
    assert database.write(lambda uow: uow.enrolment.find_token("t2", lock=True)) == token("t2", GATE)
    assert database.read(lambda uow: uow.enrolment.find_token("T1")) is None


def test_tokens_are_removed_by_their_own_organization_only(database: Database) -> None:
    save(database, token("t1"), token("t2"), token("t3", FOREIGN))

    assert database.write(lambda uow: uow.enrolment.remove_token("other", "t1")) is False
    assert database.write(lambda uow: uow.enrolment.remove_token("acme", "t1")) is True
    assert database.write(lambda uow: uow.enrolment.remove_token("acme", "t1")) is False
    assert (tokens(database), tokens(database, "other")) == (["t2"], ["t3"])


def test_tokens_of_a_node_go_together(database: Database) -> None:
    save(database, token("t1"), token("t2"), token("t3", GATE), token("t4", FOREIGN))

    database.write(lambda uow: uow.enrolment.remove_tokens_of(CAMERA))

    assert (tokens(database), tokens(database, "other")) == (["t3"], ["t4"])


def test_lists_are_ordered_by_node_and_come_in_pages(database: Database) -> None:
    nodes = [NodeKey("acme", kind, name) for kind in ("B", "a", "é") for name in ("1", "10", "2")]
    save(database, *[token(f"t{n}", node) for n, node in reversed(list(enumerate(nodes)))], token("x", FOREIGN))
    save(
        database,
        *[certificate(f"f{n}", node) for n, node in reversed(list(enumerate(nodes)))],
        certificate("x", FOREIGN),
    )

    assert tokens(database) == [f"t{n}" for n in range(9)]
    assert certificates(database) == [f"f{n}" for n in range(9)]
    assert tokens(database, after=Place("a", "1", "t3"), limit=3) == ["t4", "t5", "t6"]
    assert certificates(database, after=Place("a", "1", "f2"), limit=2) == ["f3", "f4"]
    assert tokens(database, after=Place("é", "2", "t8")) == tokens(database, "absent") == []


def test_a_certificate_is_found_as_it_was_saved_last(database: Database) -> None:
    save(database, certificate("f1"), certificate("f2", GATE))
    save(database, replace(certificate("f1"), revoked_at_ms=1500))

    assert database.read(lambda uow: uow.enrolment.find_certificate("f1")) == replace(
        certificate("f1"), revoked_at_ms=1500
    )
    assert database.write(lambda uow: uow.enrolment.find_certificate("f2", lock=True)) == certificate("f2", GATE)
    assert database.read(lambda uow: uow.enrolment.find_certificate("f")) is None


def test_certificates_of_a_node_are_those_of_no_other(database: Database) -> None:
    save(database, certificate("f2"), certificate("f1"), certificate("f3", GATE), certificate("f4", FOREIGN))

    found = database.write(lambda uow: uow.enrolment.certificates_of(CAMERA, lock=True))
    assert [each.fingerprint for each in found] == ["f1", "f2"]

    database.write(lambda uow: uow.enrolment.remove_certificates(["f1", "absent"]))
    assert [each.fingerprint for each in database.read(lambda uow: uow.enrolment.certificates_of(CAMERA))] == ["f2"]
    assert certificates(database, "other") == ["f4"]


def test_the_oldest_are_forgotten_first(database: Database) -> None:
    save(database, *[token(f"t{n}", expires_at_ms=1000 + n) for n in range(5)])
    save(database, *[certificate(f"f{n}", expires_at_ms=1000 + n) for n in range(5)])

    database.write(lambda uow: uow.enrolment.prune(1003, 1002, limit=2))
    assert (tokens(database), certificates(database)) == (["t2", "t3", "t4"], ["f2", "f3", "f4"])

    database.write(lambda uow: uow.enrolment.prune(1003, 1002, limit=2))
    assert (tokens(database), certificates(database)) == (["t3", "t4"], ["f2", "f3", "f4"])


def test_everything_of_an_organization_goes_with_it(database: Database) -> None:
    save(database, token("t1"), token("t2", FOREIGN), certificate("f1"), certificate("f2", FOREIGN))

    database.write(lambda uow: uow.organizations.remove_belongings("acme", 100))

    assert (tokens(database), certificates(database)) == ([], [])
    assert (tokens(database, "other"), certificates(database, "other")) == (["t2"], ["f2"])
