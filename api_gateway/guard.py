"""Header hygiene at the edge: what a client may claim about itself is removed before anything reads it."""

import functools
import re

from shared.asgi import Exchange, Headers, forwardable

# Only we say who somebody is: these are dropped unread, whoever sends them.
_IDENTITY = frozenset((b"txn-token", b"baggage", b"forwarded", b"remote-user", b"x-real-ip"))
_IDENTITY_PREFIXES = (
    b"x-gatestack-",
    b"x-forwarded-",
    b"x-auth-request-",
    b"x-remote-",
    b"x-identity-",
    b"x-user-",
)
# What other proxies say to services behind them: who calls, or that method or path are others than those that
# policy has been asked about.
_OF_PROXIES = re.compile(
    rb"x-(webauth|authenticated|amzn-(oidc|mtls)|ms-(client-principal|token)|goog-(authenticated|iap)|ssl-c"
    rb"|tls-client|arr-(clientcert|ssl)|client-(cert|verify|ip|dn)|cluster-client-ip|consumer|credential-identifier"
    rb"|anonymous-consumer|endpoint-api-userinfo|apigateway-api-userinfo|appengine|azure|envoy|pomerium|vouch"
    rb"|authentik|middleware).*|(cf-access|client-cert|ssl-client|tailscale|l5d)(-.*)?|remote-(groups?|email|name)"
    rb"|(cf-connecting|true-client|fastly-client)-ip(v6)?|x-(original|rewrite)-ur[il]|x-http-method(-override)?"
    rb"|x-method-override|x-http-destinationurl"
)
# Clients have few names for headers, and whoever makes up long ones fills no memory with them.
_LONGEST_KEPT = 64
# What a caller may wish of its own call: it says nothing of who that is.
_WISHES = frozenset((b"x-gatestack-tags", b"x-gatestack-cache-ttl"))
# The caller's credential is for us: it never travels inward or upstream.
CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"))
_REPLACED = frozenset((b"host", b"content-length", b"traceparent", b"expect"))
_OURS_IN_REPLIES = frozenset(
    (b"set-cookie", b"server", b"date", b"x-gatestack-call", b"x-gatestack-chain", b"txn-token")
)
# What one service would say for all that is served at this host, and what a proxy before us would obey.
_NOBODYS_IN_REPLIES = frozenset(
    (
        *(b"alt-svc", b"clear-site-data", b"nel", b"report-to", b"reporting-endpoints"),
        *(b"service-worker-allowed", b"x-accel-redirect", b"x-lighttpd-send-file", b"x-sendfile"),
    )
)
_NOT_OUTWARD = _OURS_IN_REPLIES | _NOBODYS_IN_REPLIES


def strip_identity(exchange: Exchange) -> None:
    """Removes every header that claims an identity, or another request than this one. Runs before
    authentication.
    """
    exchange.headers = [header for header in exchange.headers if not _dropped(header[0])]


def claims_identity(name: bytes) -> bool:
    if name in _WISHES:
        return False
    # CGI and WSGI services read `txn_token` and `txn-token` as one and the same header.
    name = name.replace(b"_", b"-")
    return name in _IDENTITY or name.startswith(_IDENTITY_PREFIXES)


def _dropped(name: bytes) -> bool:
    return _judged(name) if len(name) <= _LONGEST_KEPT else _judged.__wrapped__(name)


@functools.lru_cache(maxsize=1024)
def _judged(name: bytes) -> bool:
    return claims_identity(name) or _OF_PROXIES.fullmatch(name.replace(b"_", b"-")) is not None


def inward(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The client's headers that go on inward: no credential, nothing hop-by-hop, nothing that we write
    ourselves.
    """
    return forwardable(exchange.headers, CREDENTIALS | _REPLACED)


def outward(headers: Headers) -> list[tuple[bytes, bytes]]:
    """An upstream's headers that go on to the client."""
    return forwardable(headers, _NOT_OUTWARD)
