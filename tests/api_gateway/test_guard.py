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
            "Client-Cert": ":Zm9yZ2Vk:",
            "Remote-Groups": "admins",
            "X-Amzn-Mtls-Clientcert-Subject": "CN=root",
            "X-Consumer-Username": "root",
            "X-Endpoint-Api-Userinfo": "forged",
            "X-Envoy-Original-Path": "/admin",
            "X-Middleware-Subrequest": "middleware",
            "Tailscale-User-Login": "root@x",
            "True-Client-IP": "10.0.0.1",
            "X-Goog-Api-Client": "sdk",
            "X-Client-Version": "1",
            "X-Ms-Client-Request-Id": "1",
            "Accept": "*/*",
        }
    )
    guard.strip_identity(one)
    kept = [b"x-goog-api-client", b"x-client-version", b"x-ms-client-request-id", b"accept"]
    assert [name for name, _ in one.headers] == kept


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
        (b"x-accel-buffering", b"no"),
    ]
    assert guard.outward(headers) == headers[3:]


def test_one_service_speaks_neither_for_the_others_nor_to_a_proxy_before_us() -> None:
    names = (b"Alt-Svc", b"NEL", b"Report-To", b"Clear-Site-Data", b"Service-Worker-Allowed", b"X-Sendfile")
    assert guard.outward([*((name, b"x") for name in names), (b"X-Accel-Redirect", b"/internal")]) == []


def test_what_a_caller_wishes_of_its_call_goes_inward() -> None:
    one = exchange(
        headers={"X-Gatestack-Tags": "beta", "X_Gatestack_Tags": "forged", "X-Gatestack-Tag": "forged"}
    )
    guard.strip_identity(one)
    assert guard.inward(one) == [(b"x-gatestack-tags", b"beta")]
