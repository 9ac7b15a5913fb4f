"""What a client says about itself is gone before anything reads it; what belongs to the edge goes no
further.
"""

from api_gateway import guard
from tests.support.exchange import exchange


def test_identity_headers_from_outside_are_dropped() -> None:
    one = exchange(
        headers={
            "Txn-Token": "forged",
            "X-Gatestack-Chain": "forged",
            "X-Forwarded-For": "10.0.0.1",
            "X-Forwarded-User": "root",
            "X-Auth-Request-Email": "root@x",
            "Forwarded": "for=1",
            "Baggage": "user=root",
            "X-User-Id": "1",
            "Txn_Token": "forged",
            "X_Forwarded_For": "10.0.0.1",
            "X-WebAuth-User": "root",
            "X-Goog-Authenticated-User-Email": "root@x",
            "Cf-Access-Jwt-Assertion": "forged",
            "X-Client-Cert": "forged",
            "X_HTTP_Method_Override": "DELETE",
            "X-Original-URL": "/admin",
            "X-Goog-Api-Client": "sdk",
            "Accept": "*/*",
        }
    )
    guard.strip_identity(one)
    assert one.headers == [(b"x-goog-api-client", b"sdk"), (b"accept", b"*/*")]


def test_no_credential_goes_inward() -> None:
    one = exchange(
        headers={
            "Authorization": "Bearer x",
            "X-Api-Key": "x",
            "X-Goog-Api-Key": "x",
            "Api-Key": "x",
            "Cookie": "x",
            "Connection": "X-Odd",
            "X-Odd": "1",
            "Traceparent": "x",
            "Content-Type": "a/b",
            "Mcp-Method": "ping",
        }
    )
    assert guard.inward(one) == [(b"content-type", b"a/b"), (b"mcp-method", b"ping")]


def test_upstreams_set_no_cookies_and_speak_of_no_chain() -> None:
    headers = [
        (b"Set-Cookie", b"a=b"),
        (b"X-Gatestack-Chain", b"1"),
        (b"Server", b"x"),
        (b"content-type", b"a/b"),
    ]
    assert guard.outward(headers) == [(b"content-type", b"a/b")]


def test_what_a_caller_wishes_of_its_call_goes_inward() -> None:
    one = exchange(
        headers={"X-Gatestack-Tags": "beta", "X_Gatestack_Tags": "forged", "X-Gatestack-Tag": "forged"}
    )
    guard.strip_identity(one)
    assert guard.inward(one) == [(b"x-gatestack-tags", b"beta")]
