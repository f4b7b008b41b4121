"""From claims to a principal by the rules of an operator."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.claims import BadRule, parse_rules
from common.domain.errors import NotAuthenticated
from common.domain.names import is_valid_segment
from common.domain.principals import Principal, Role

GROUPS = "groups={org}:admins -> admin org={org} user={email}"


def who(rules: str, **claims: Any) -> Principal | None:
    """None is a refusal."""
    try:
        return parse_rules(rules).principal({"sub": "ann", **claims})
    except NotAuthenticated:
        return None


def test_a_value_names_organization_and_user() -> None:
    found = who(GROUPS, groups=["staff", "acme:admins"], email="ann@acme.example", email_verified=True)

    assert found == Principal(Role.ADMIN, "acme", "ann@acme.example")


def test_the_subject_is_the_user_unless_the_rule_says_otherwise() -> None:
    assert who("tenant={org} -> user org={org}", tenant="acme") == Principal(Role.USER, "acme", "ann")


def test_a_fixed_organization() -> None:
    assert who("tenant=t-1 -> objectadmin org=acme", tenant="t-1") == Principal(Role.OBJECT_ADMIN, "acme", "ann")


def test_a_sync_admin_has_no_organization() -> None:
    assert who("groups=ops -> syncadmin", groups=["ops"]) == Principal(Role.SYNC_ADMIN, "", "ann")


def test_nodes_and_services() -> None:
    rules = "n={o}/{t}/{i} -> edgenode org={o} node={t}/{i}; s={v} -> service org=o service=svc/{v}/camera"

    assert who(rules, n="acme/edge/n1") == Principal(Role.EDGE_NODE, "acme", "edge/n1")
    assert who(rules, s="1.0.0") == Principal(Role.SERVICE, "o", "svc/1.0.0/camera")


def test_the_first_rule_that_fits_decides() -> None:
    rules = "groups=ops -> syncadmin; groups={org}:users -> user org={org}"

    assert who(rules, groups=["acme:users", "ops"]) == Principal(Role.SYNC_ADMIN, "", "ann")
    assert who(rules, groups=["acme:users"]) == Principal(Role.USER, "acme", "ann")


def test_all_conditions_of_a_rule_have_to_fit() -> None:
    rules = "groups={org}:users tenant={org} -> user org={org}"

    assert who(rules, groups=["acme:users", "other:users"], tenant="acme") == Principal(Role.USER, "acme", "ann")
    assert who(rules, groups=["acme:users"]) is None
    assert who(rules, groups=["acme:users"], tenant="other") is None


def test_two_organizations_in_one_token_are_nobody() -> None:
    assert who("groups={org}:users -> user org={org}", groups=["acme:users", "other:users"]) is None


def test_an_ambiguous_rule_does_not_fall_through_to_the_next() -> None:
    rules = "groups={org}:users -> user org={org}; sub={x} -> user org=guests"

    assert who(rules, groups=["acme:users", "other:users"]) is None


@pytest.mark.parametrize("claims", [{}, {"groups": []}, {"groups": None}, {"groups": 7}, {"groups": {"a": "ops"}}])
def test_nobody_whom_no_rule_fits_is_let_in(claims: dict[str, Any]) -> None:
    assert who("groups=ops -> syncadmin", **claims) is None


@pytest.mark.parametrize("value", ["OPS", "ops ", " ops", "ops\n", "xops", "opsx", "o", ""])
def test_a_value_fits_as_a_whole_and_in_its_case(value: str) -> None:
    assert who("groups=ops -> syncadmin", groups=[value]) is None


@pytest.mark.parametrize("org", ["", ".", "..", "a/b", "a b", "a\0b", "a\nb", "<b>", "a%2Fb", "x" * 501])
def test_what_is_no_name_becomes_no_organization(org: str) -> None:
    assert who("tenant={org} -> user org={org}", tenant=org) is None


@pytest.mark.parametrize("user", ["", "*", "a/b", "a b", "a+b@x", ".."])
def test_what_is_no_name_becomes_no_user(user: str) -> None:
    assert who("tenant={org} -> user org={org}", tenant="acme", sub=user) is None


def test_a_claim_that_a_name_needs_and_the_token_lacks() -> None:
    assert who("tenant={org} -> user org={org} user={login}", tenant="acme") is None
    assert who("tenant={org} -> user org={org} user={login}", tenant="acme", login=["a", "b"]) is None


def test_an_address_counts_once_the_provider_has_verified_it() -> None:
    rules = "email={user}@acme.example -> user org=acme user={user}"

    assert who(rules, email="ann@acme.example", email_verified=True) == Principal(Role.USER, "acme", "ann")
    for verified in (False, None, "true", 1):
        assert who(rules, email="ann@acme.example", email_verified=verified) is None
    assert who("tenant=t -> user org=o user={email}", tenant="t", email="ann@acme.example") is None


def test_claims_inside_claims_and_claims_with_dots() -> None:
    rules = "realm_access.roles=rw -> user org=acme"

    assert who(rules, realm_access={"roles": ["rw"]}) == Principal(Role.USER, "acme", "ann")
    assert who(rules, **{"realm_access.roles": "rw"}) == Principal(Role.USER, "acme", "ann")
    assert who(rules, realm_access="rw") is None


def test_escapes_stand_for_what_the_language_uses() -> None:
    rules = "groups=Domain%20Admins%3B%25 -> user org=acme"

    assert who(rules, groups=["Domain Admins;%"]) == Principal(Role.USER, "acme", "ann")


@pytest.mark.parametrize(
    "rule",
    [
        "groups=ops", "-> user org=o", "groups=ops ->", "groups=ops -> root", "groups=ops -> ADMIN org=o", "groups -> user org=o",
        "groups=ops -> user", "groups=ops -> user user=x", "groups=ops -> syncadmin org=o", "groups=ops -> user org=o node=a/b",
        "groups=ops -> edgenode org=o", "groups=ops -> edgenode org=o user=x", "groups=ops -> service org=o",
        "groups=ops -> user org=o org=p", "groups=ops -> user org", "groups=ops -> user org=", "groups={a}{b} -> user org=o",
        "groups={a}-{b} -> user org={a}", "groups={a}.{b} -> user org={a}", "groups={a}:{a} -> user org={a}", "groups={ -> user org=o",
        "groups={} -> user org=o", "groups={a -> user org=o", "groups=a} -> user org=o", "groups={a}/{b c} -> user org=o",
        "groups={1} -> user org=o", "groups=%zz -> user org=o", "groups=%ff -> user org=o", "groups=a -> user org={",
    ],
)  # fmt: skip
def test_rules_that_cannot_be_read_are_told(rule: str) -> None:
    with pytest.raises(BadRule):
        parse_rules(rule)


def test_no_rules_let_nobody_in() -> None:
    assert who("", groups=["ops"]) is None
    assert who(" ; ;") is None


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_places_hold_names_whatever_the_claim_says(org: str, kind: str, name: str) -> None:
    found = who("n={o}/{t}/{i} -> edgenode org={o} node={t}/{i}", n=f"{org}/{kind}/{name}")

    if found is None:
        assert not all(map(is_valid_segment, (org, kind, name))) or "*" in (kind, name)
    else:
        assert found == Principal(Role.EDGE_NODE, org, f"{kind}/{name}")


def test_hostile_values_do_not_take_long() -> None:
    rules = "n={a}/{b}/{c}/{d}:x -> user org={a}; g={a}:u h={b}:u -> user org={a}"
    began_at = time.monotonic()

    assert who(rules, n=["/" * 1999] * 4) is None
    assert who(rules, n="a/" * 900) is None
    assert who(rules, g=[f"{i}:u" for i in range(900)], h=[f"{i}:u" for i in range(900)]) is None
    assert time.monotonic() - began_at < 10  # a guard against hours, not a measurement
