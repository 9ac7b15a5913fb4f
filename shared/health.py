"""The pages that need no credential, the same in all four services: alive, ready, metrics, public keys."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.parts import Parts

# Every other path of every service is behind `authenticate`.
PUBLIC_PATHS = ("/healthz", "/readyz", "/metrics", "/.well-known/jwks.json")


def public_routes(parts: Parts) -> list[Route]:
    """Routes for PUBLIC_PATHS. Who is ready may still have something to note."""

    async def healthz(_: Request) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def readyz(_: Request) -> Response:
        found = parts.problems()
        body = {
            "service": parts.service,
            "ready": not found,
            "problems": found,
            "notes": [note for note, holds in parts.notes.items() if holds()],
            "epochs": parts.snapshots.epochs(),
        }
        return Response(msgspec.json.encode(body), 503 if found else 200, media_type="application/json")

    async def metrics(_: Request) -> Response:
        return Response(parts.telemetry.metrics(), media_type="text/plain; version=0.0.4")

    async def jwks(_: Request) -> Response:
        headers = {"cache-control": "public, max-age=60"}
        return Response(parts.signer.jwks(), media_type="application/json", headers=headers)

    pages = (healthz, readyz, metrics, jwks)
    return [Route(path, page, methods=["GET"]) for path, page in zip(PUBLIC_PATHS, pages, strict=True)]
