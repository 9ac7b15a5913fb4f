"""What stands between the server and the edge's own paths, the outermost first."""

from starlette.middleware import Middleware

from api_gateway.access_log import AccessLog
from api_gateway.config import Section
from api_gateway.door import Door
from api_gateway.maintenance import MaintenanceBoard
from api_gateway.pipeline import Pipeline
from api_gateway.routes import RouteTable
from shared.client_address import ClientAddress
from shared.parts import Parts


def layers(
    section: Section, parts: Parts, routes: RouteTable, pipeline: Pipeline, board: MaintenanceBoard
) -> list[Middleware]:
    """All that any request passes before somebody asks who sends it."""
    log = [Middleware(AccessLog, clock=parts.clock)] if section.access_log else []
    return [
        Middleware(ClientAddress, proxies=section.proxies),
        *log,
        Middleware(
            Door,
            section=section,
            routes=routes,
            account=parts.account,
            dialect=pipeline.dialect,
            board=board,
        ),
    ]
