"""Ways round what the edge asks of a request, and what it says of it."""

from pathlib import Path

from tests.api_gateway.fronted import fronted
from tests.api_gateway.witness import witness
from tests.support.serve import serving
from tests.support.tls_app import app

HERE = "127.0.0.0/8"


async def test_a_question_of_a_browser_is_held_to_the_rules_of_the_route_that_it_reaches(
    tmp_path: Path,
) -> None:
    async with serving(app) as url:
        kept = {"name": "kept", "prefix": "/x", "urls": [url], "addresses": {"deny": [HERE]}}
        open_ = {"name": "open", "prefix": "/x", "urls": [url], "methods": ["POST"]}
        async with fronted(tmp_path, kept, open_) as front:
            asking = {"origin": "https://a.example", "access_control_request_method": "POST"}
            plain = await front.ask("/x/y", method="OPTIONS")
            asked = await front.ask("/x/y", method="OPTIONS", **asking)
            posted = await front.ask("/x/y", method="POST")
    assert (plain.status, asked.status, posted.status) == (403, 403, 200)


async def test_a_header_that_the_route_writes_has_no_twin_of_the_clients(tmp_path: Path) -> None:
    """CGI and WSGI services read `x_service_user` and `x-service-user` as one."""
    (tmp_path / "user").write_text("edge")
    async with witness() as service:
        route = {"urls": [service.url], "headers": {"x-service-user": f"${{file:{tmp_path}/user}}"}}
        async with fronted(tmp_path, route) as front:
            headers = [("authorization", f"Bearer {front.key}"), ("X_Service-User", "root")]
            async with await front.http.send("GET", f"{front.edge.url}/r0/x", headers=headers) as reply:
                assert reply.status == 200
    [seen] = service.seen
    assert [value for name, value in seen.headers if name.replace("_", "-") == "x-service-user"] == ["edge"]
