"""All that questions of servers to clients need, in one place: opened with the gateway, closed with it."""

from msgspec import Struct

from mcp_gateway.mail import Mail
from mcp_gateway.questions.asking import Asking
from mcp_gateway.questions.desk import Desk
from mcp_gateway.questions.parked import Parked
from mcp_gateway.questions.rounds import Rounds
from mcp_gateway.questions.states import States
from shared.parts import Parts


class Questions(Struct, frozen=True):
    """`asking` is for clients of the session era, `rounds` for those of the stateless one."""

    mail: Mail
    desk: Desk
    parked: Parked
    asking: Asking
    rounds: Rounds

    @classmethod
    def open(cls, parts: Parts) -> "Questions":
        mail = Mail(parts.redis)
        desk, parked = Desk(parts.redis, mail), Parked(mail, parts.kill)
        return cls(
            mail=mail,
            desk=desk,
            parked=parked,
            asking=Asking(desk, parts.clock),
            rounds=Rounds(States(parts.redis), parked, parts.clock),
        )
