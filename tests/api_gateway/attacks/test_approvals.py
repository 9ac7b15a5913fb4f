"""A person's consent to one request, used for another one."""

from pathlib import Path

from tests.api_gateway.ordering import shop as opened
from tests.support.approving import asked, decide

FORM = b"--A\r\n\r\namount=1\r\n--A--\r\n--B\r\n\r\namount=9999\r\n--B--\r\n"
KIND = "multipart/form-data; boundary="


async def test_consent_is_to_one_reading_of_a_body_at_one_address(tmp_path: Path) -> None:
    first = {"content_type": KIND + "A"}
    others = {"content_type": KIND + "B"}, {"content_encoding": "deflate"}, {"host": "other.example"}
    async with opened(tmp_path) as shop:
        for how in (first, *(first | other for other in others)):
            call, _ = await shop.parked(FORM, **how)
            await decide(shop.office.edge.parts, "denied")
            assert (await call)[0] == 403
        assert (await shop.order(FORM, **first))[0] == 403
        told = await asked(shop.office.edge.parts)
    assert len(told) == 4
    assert KIND + "A" in told[-1].preview
