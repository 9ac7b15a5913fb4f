"""Identity providers as an operator names them: whose tokens count, with which algorithms, and whom they make
of a caller. Operators write every address here themselves, so private ones are as good as public ones.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
Address = Annotated[str, Meta(pattern=r"^https?://[^\s?#@]+$")]
Audience = Annotated[str, Meta(min_length=1)]
# What a name of ours may hold: nothing that patterns, lists, paths or terminals read as something else.
NAME = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._@+|-]{0,126}[A-Za-z0-9_-])?")
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ROLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}")
PLACE = re.compile(r"\{([^{}]+)\}")
_KINDS = ("user:", "agent:", "service:")


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a value comes from. `claim` is its name, or a path with dots (`realm_access.team`); of a list the
    first of `allow` that it holds is taken. Without a `claim`, or where a token lacks it, `default` counts;
    where there is no default either, the token is refused. A value that `allow` does not name is refused.
    """

    claim: str = ""
    default: str | None = None
    allow: list[str] = []


class Roles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Roles by what a claim holds (a list, or words with spaces between): only values that `give` names give
    any.
    """

    claim: str
    give: Annotated[dict[str, str], Meta(min_length=1, max_length=256)]


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A principal from a token's claims. `when` are claims and the values that they must have (`*`: any); the
    first mapping that fits decides alone. `sub` is `user:`, `agent:` or `service:` and a name with claims in
    braces. `scope` names a claim with resource patterns (`model:*`), which narrow what policy allows, `roles`
    what rules may call the bearer by (`role:auditor`).
    """

    sub: str
    tenant: Claim
    when: dict[str, str] = {}
    team: Claim = Claim(default="")
    project: Claim = Claim(default="")
    tier: Claim = Claim(default="")
    scope: str = ""
    roles: Roles | None = None


class Issuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity provider. Without `jwks_url`, its discovery document says where its keys are.

    A token must be meant for one of `audiences`, signed with one of `algorithms`, of the type `typ` where one
    is named, issued to one of `clients` (`azp`, or else `client_id`) where any is named, and have all of
    `require` (claims and their values, `*`: any). Keys that could not be fetched
    again go on for `keys_hard_limit_seconds`.
    """

    issuer: Address
    audiences: Annotated[list[Audience], Meta(min_length=1)]
    principals: list[Mapping]
    jwks_url: Annotated[str, Meta(pattern=r"^(https?://[^\s#@]+)?$")] = ""
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256",)
    typ: str = ""
    clients: list[Audience] = []
    require: dict[str, str] = {}
    leeway_seconds: Annotated[int, Meta(ge=0, le=300)] = 30
    keys_hard_limit_seconds: Annotated[float, Meta(ge=60, le=604_800)] = 3600.0


def problems(issuers: Sequence[Issuer]) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    seen: set[str] = set()
    for place, issuer in enumerate(issuers):
        path = f"issuers[{place}]"
        if issuer.issuer in seen:
            found.append(f"{path}.issuer: {issuer.issuer} stands here twice")
        seen.add(issuer.issuer)
        if issuer.issuer.startswith("https:") and issuer.jwks_url.startswith("http:"):
            found.append(f"{path}.jwks_url: the keys of an https issuer come over https")
        if not issuer.principals:
            found.append(f"{path}.principals: without one, nobody's token counts")
        for number, mapping in enumerate(issuer.principals):
            found += _mapping(f"{path}.principals[{number}]", mapping)
            if not mapping.when and number < len(issuer.principals) - 1:
                found.append(f"{path}.principals[{number}]: fits every token, so those below it never count")
    return found


def _mapping(path: str, mapping: Mapping) -> list[str]:
    found: list[str] = []
    kind = next((kind for kind in _KINDS if mapping.sub.startswith(kind)), "")
    name = mapping.sub[len(kind) :]
    if not kind or not PLACE.search(name) or not NAME.fullmatch(PLACE.sub("x", name)):
        found.append(f"{path}.sub: {mapping.sub!r} must be user:, agent: or service: and a {{claim}}")
    tenants = [*mapping.tenant.allow, *filter(None, [mapping.tenant.default])]
    found += [
        f"{path}.tenant: {name!r} is no tenant's name" for name in tenants if not TENANT.fullmatch(name)
    ]
    given = mapping.roles.give.values() if mapping.roles is not None else ()
    found += [f"{path}.roles: {name!r} is no role's name" for name in given if not ROLE.fullmatch(name)]
    for member in ("tenant", "team", "project", "tier"):
        claim: Claim = getattr(mapping, member)
        if not claim.claim and not (claim.default or (claim.default == "" and member != "tenant")):
            found.append(f"{path}.{member}: needs a claim or a default")
    return found
