"""Whom claims make, and which claims make nobody."""

from typing import Any

import msgspec
import pytest

from shared.errors import Unauthenticated
from shared.identity.issuer import Issuer, problems
from shared.identity.issuer_claims import principal
from shared.identity.narrow import NOTHING
from shared.identity.principal import Principal

CLAIMS: dict[str, Any] = {
    "email": "Alice@Example.com",
    "client_id": "billing",
    "org": "acme",
    "groups": ["everyone", "Support Team", "ops"],
    "realm": {"plan": "gold"},
    "https://example.com/project": "apollo",
    "patterns": "openid model:* tool:git/*",
}


def issuer(*principals: dict[str, Any], **more: Any) -> Issuer:
    told = {"issuer": "https://login.example.com", "audiences": ["gatestack"], "principals": principals}
    return msgspec.convert(told | more, Issuer)


def made(mapping: dict[str, Any], **claims: Any) -> Principal:
    usual = {"sub": "user:{email}", "tenant": {"claim": "org"}}
    return principal(CLAIMS | claims, issuer(usual | mapping))


def test_each_member_comes_from_where_the_operator_says() -> None:
    found = made(
        {
            "team": {"claim": "groups", "allow": ["ops", "Support Team"]},
            "project": {"claim": "https://example.com/project"},
            "tier": {"claim": "realm.plan"},
            "scope": "patterns",
        }
    )
    assert found == Principal(
        sub="user:alice@example.com",
        tenant="acme",
        team="ops",
        project="apollo",
        tier="gold",
        scope=("model:*", "tool:git/*"),
    )


def test_only_roles_that_the_operator_gives_for_a_value_are_given() -> None:
    rule = {"claim": "groups", "give": {"ops": "operator", "Support Team": "helper", "root": "admin"}}
    assert made({"roles": rule}).roles == ("operator", "helper")
    assert made({"roles": rule}, groups="ops role:admin admin").roles == ("operator",)
    for nothing in ([], None, 7, {"ops": 1}, [["ops"]]):
        assert made({"roles": rule}, groups=nothing).roles == ()


def test_a_workload_is_known_by_what_its_cluster_says() -> None:
    """A projected service account token, as a Kubernetes API server signs it."""
    cluster = {"namespace": "shop", "serviceaccount": {"name": "billing", "uid": "1"}}
    place = "{kubernetes.io.namespace}.{kubernetes.io.serviceaccount.name}"
    found = made({"sub": f"service:{place}"}, **{"kubernetes.io": cluster})
    assert found.sub == "service:shop.billing"
    with pytest.raises(Unauthenticated, match="no name"):
        made({"sub": f"service:{place}"}, **{"kubernetes.io": {"namespace": "shop"}})


def test_what_a_token_lacks_has_a_default_or_is_refused() -> None:
    assert made({"tier": {"claim": "plan", "default": "free"}}).tier == "free"
    assert made({"tenant": {"default": "globex"}}).tenant == "globex"
    for member in ("team", "project", "tier", "tenant"):
        with pytest.raises(Unauthenticated, match="lacks the claim"):
            made({member: {"claim": "absent"}})
    with pytest.raises(Unauthenticated, match="lacks the claim"):
        made({"scope": "absent"})


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "a*",
        "a b",
        "a:b",
        "a/b",
        "a,b",
        "a\nb",
        "a\x00",
        "ä",
        "a{b}",
        "\u202ea",
        ".",
        "x" * 129,
        None,
        7.5,
    ],
)
def test_names_that_ours_could_not_be_are_refused(name: Any) -> None:
    for claim, mapping in (("email", {}), ("org", {}), ("team", {"team": {"claim": "team"}})):
        with pytest.raises(Unauthenticated, match="claim"):
            made(mapping, **{claim: name})


def test_a_value_that_nobody_allowed_is_refused_and_so_is_a_choice_that_nobody_made() -> None:
    with pytest.raises(Unauthenticated, match="no value that is accepted"):
        made({"tenant": {"claim": "org", "allow": ["globex"]}})
    with pytest.raises(Unauthenticated, match="several values"):
        made({"team": {"claim": "groups"}})


def test_the_operators_tenant_is_named_by_operators_only() -> None:
    usual = {"sub": "user:{email}", "tenant": {"claim": "org"}}
    with pytest.raises(Unauthenticated, match="may speak for"):
        principal(CLAIMS | {"org": "system"}, issuer(usual), ("system",))
    allowed = usual | {"tenant": {"claim": "org", "allow": ["system"]}}
    assert principal(CLAIMS | {"org": "system"}, issuer(allowed), ("system",)).tenant == "system"


def test_an_address_that_was_not_verified_is_nobodys() -> None:
    told: tuple[object, ...] = (False, "false", "False", "no", 0, None, [])
    for unverified in told:
        with pytest.raises(Unauthenticated, match="not been verified"):
            made({}, email_verified=unverified)
    for verified in (True, "true"):
        assert made({}, email_verified=verified).sub == "user:alice@example.com"


def test_two_claims_do_not_make_the_name_that_two_others_make() -> None:
    pair = {"sub": "user:{org}.{name}"}
    assert made(pair, org="acme", name="x.y").sub == "user:acme.x.y"
    with pytest.raises(Unauthenticated, match="claim org"):
        made(pair | {"tenant": {"default": "acme"}}, org="acme.x", name="y")
    with pytest.raises(Unauthenticated, match="claim org"):
        made({"sub": "user:{org}--{name}", "tenant": {"default": "acme"}}, org="acme-", name="y")


def test_a_scope_without_patterns_of_ours_leaves_nothing() -> None:
    for patterns in ("", "openid profile", [], ["openid"]):
        assert made({"scope": "patterns"}, patterns=patterns).scope == NOTHING
    with pytest.raises(Unauthenticated, match="patterns"):
        made({"scope": "patterns"}, patterns=["model:a b"])


def test_the_first_mapping_that_fits_decides_alone() -> None:
    machine = {"sub": "service:{client_id}", "tenant": {"default": "acme"}, "when": {"kind": "machine"}}
    person = {"sub": "user:{email}", "tenant": {"claim": "org"}, "when": {"email": "*"}}
    both = issuer(machine, person)
    assert principal(CLAIMS | {"kind": ["x", "machine"]}, both).sub == "service:billing"
    assert principal(CLAIMS, both).sub == "user:alice@example.com"
    with pytest.raises(Unauthenticated, match="claim client_id"):
        principal(CLAIMS | {"kind": "machine", "client_id": "a b"}, both)
    with pytest.raises(Unauthenticated, match="nobody who is known"):
        principal({"org": "acme"}, both)


def test_what_is_required_is_there() -> None:
    mapping = {"sub": "user:{email}", "tenant": {"claim": "org"}}
    strict = issuer(mapping, require={"acr": "*", "mfa": "true"})
    assert principal(CLAIMS | {"acr": "2", "mfa": True}, strict).tenant == "acme"
    for claims in ({"acr": "2"}, {"mfa": True}, {"acr": "", "mfa": True}, {"acr": "2", "mfa": False}):
        with pytest.raises(Unauthenticated, match="required here"):
            principal(CLAIMS | claims, strict)


def test_every_mistake_of_a_configuration_is_named() -> None:
    wrong = [
        {"sub": "{email}", "tenant": {"claim": "org"}},
        {"sub": "user:alice", "tenant": {"claim": "org"}, "when": {"a": "b"}},
        {"sub": "user:{email}", "tenant": {}, "when": {"a": "b"}},
        {"sub": "user:{email}", "tenant": {"default": "A B"}},
    ]
    found = problems([issuer(*wrong, jwks_url="http://login.example.com/keys"), issuer()])
    for part in (
        "[0].jwks_url",
        "principals[0].sub",
        "principals[0]: fits every",
        "principals[1].sub",
        "principals[2].tenant: needs",
        "principals[3].tenant",
        "issuers[1].issuer",
        "issuers[1].principals",
    ):
        assert any(part in problem for problem in found), part
