"""Routes out of service for a while, by an operator's word."""

from collections.abc import Collection

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from api_gateway.maintenance import Maintenance, MaintenanceBoard, problems
from shared.errors import BadRequest, Forbidden


class Word:
    """What is said of maintenance. A route is everybody's, so only operators of all tenants may."""

    def __init__(self, board: MaintenanceBoard, routes: Collection[str]) -> None:
        self._board = board
        self._routes = routes

    async def show(self, _: Control, ask: Ask) -> Answer:
        """What is out of service by somebody's word."""
        _refuse_tenants(ask)
        return 200, self._board.said

    async def replace(self, _: Control, ask: Ask) -> Answer:
        """Replaces it; without routes everything but what is configured is in service again."""
        _refuse_tenants(ask)
        wanted = ask.read(Maintenance)
        wrong = problems("maintenance", wanted, self._routes)
        if wrong:
            raise BadRequest("; ".join(wrong))
        await self._board.say(wanted)
        return 200, wanted


def pages(board: MaintenanceBoard, routes: Collection[str]) -> tuple[Page, ...]:
    """`routes` are the names that are configured."""
    word = Word(board, routes)
    path, area = "/maintenance", "maintenance"
    return (
        Page(method="GET", path=path, area=area, action="read", call=word.show, answer=Maintenance),
        Page(
            method="PUT",
            path=path,
            area=area,
            action="manage",
            call=word.replace,
            body=Maintenance,
            answer=Maintenance,
        ),
    )


def _refuse_tenants(ask: Ask) -> None:
    if not ask.all_tenants:
        raise Forbidden("routes are everybody's: this needs a credential of the operators' tenant")
