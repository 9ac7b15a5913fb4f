"""What is at an address that somebody has named in an admin call."""

from shared.egress import Egress
from shared.errors import BadRequest, UpstreamFault
from shared.http_client import HttpClient


async def fetched(
    http: HttpClient, egress: Egress, url: str, *, field: str, cap: int, seconds: float
) -> bytes:
    """The JSON there, up to `cap` bytes. Raises BadRequest, which names the `field` that the address stood
    in, and Forbidden for an address that is not public.
    """
    pinned = await egress.check(url)
    accept = [("accept", "application/json")]
    try:
        async with await http.send(
            "GET", url, headers=accept, header_timeout=seconds, idle_timeout=seconds, pinned=pinned
        ) as reply:
            if reply.status != 200:
                raise BadRequest(f"{field}: it answered {reply.status}, and is not followed elsewhere")
            return await reply.read(cap)
    except UpstreamFault as error:
        raise BadRequest(f"{field}: {error.detail}", cause=error) from error
