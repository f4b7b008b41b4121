"""Which objects a policy opens to a service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.domain.metadata import Metadata, Policy, ServiceId
from common.domain.services import ServiceName, is_open_to, was_dropped, without_dropped
from tests.support.builders import an_object

CAMERA = ServiceName("svc", "camera", "1.5.0")


def named(org: str = "svc", name: str = "camera", version: str = "[1.0.0,2.0.0)", arch: str = "amd64") -> ServiceId:
    return ServiceId(org, arch, name, version)


def with_policy(*services: ServiceId) -> Metadata:
    return Metadata(destination_policy=Policy(services=list(services)))


@pytest.mark.parametrize("policy", [None, Policy(), Policy(services=[]), Policy(constraints=["a == b"])])
def test_what_names_no_service_is_open_to_every_service(policy: Policy | None) -> None:
    assert is_open_to(Metadata(destination_policy=policy), CAMERA)


@pytest.mark.parametrize(
    ("services", "is_open"),
    [
        ([named()], True),
        ([named(arch="other")], True),
        ([named(org="elsewhere")], False),
        ([named(name="cameras")], False),
        ([named(version="[1.6,2)")], False),
        ([named(version="1.5.0")], True),
        ([named(org="elsewhere"), named(name="radar"), named()], True),
        ([named(version="1.6"), named(version="[0,1]")], False),
        ([named(version="nonsense")], False),
    ],
)
def test_organization_name_and_version_have_to_match_one_entry(services: list[ServiceId], is_open: bool) -> None:
    assert is_open_to(with_policy(*services), CAMERA) is is_open


@pytest.mark.parametrize("version", ["", "latest", "1.5.0.0", "INFINITY"])
def test_a_service_without_a_version_is_in_no_range(version: str) -> None:
    assert not is_open_to(with_policy(named(version="0")), replace(CAMERA, version=version))


def test_a_service_is_dropped_until_it_confirms_or_is_named_again() -> None:
    radar = named(name="radar")
    item = replace(an_object(destination_policy=Policy(services=[radar])), dropped_services=(named(), named(name="x")))

    assert was_dropped(item, CAMERA)
    assert not was_dropped(item, replace(CAMERA, version="2.0.0"))
    assert not was_dropped(item, replace(CAMERA, name="radar"))
    assert not was_dropped(replace(item, meta=with_policy(radar, named())), CAMERA)

    confirmed = replace(item, dropped_services=without_dropped(item, CAMERA))
    assert confirmed.dropped_services == (named(name="x"),)
    assert not was_dropped(confirmed, CAMERA)
