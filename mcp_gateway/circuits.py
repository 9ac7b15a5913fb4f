"""Whether a server is asked at all: one that has failed several times in a row is left alone for a while, and
then tried with one call.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping

from mcp_gateway.config import ServerRule
from shared.attempts import Circuit
from shared.clock import Clock
from shared.errors import UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable

_LOG = logging.getLogger("gatestack")  # noqa: TID251  that a server is ill is no one request's matter
_SERVER_ERROR = 500


class Circuits:
    """One for each server, counted in this process."""

    def __init__(self, rules: Mapping[str, ServerRule], clock: Clock) -> None:
        self._of = {server: Circuit(clock, rule.breaker) for server, rule in rules.items()}

    @contextlib.contextmanager
    def guarded(self, server: str) -> Iterator[None]:
        """The block asks `server`. Raises UpstreamUnreachable where it is being left alone."""
        circuit = self._of[server]
        if not circuit.admits():
            raise UpstreamUnreachable(
                f"the MCP server {server!r} has failed too often and is left alone for a while",
                retry_after=circuit.opens_in(),
            )
        before = circuit.state
        try:
            yield
        except UpstreamFault as error:
            _judge(circuit, error)
            raise
        except BaseException:
            circuit.abandoned()
            raise
        else:
            circuit.succeeded()
        finally:
            _tell(server, before, circuit.state)

    def shut(self) -> int:
        """How many servers are being left alone, or tried again."""
        return sum(circuit.state != "closed" for circuit in self._of.values())


def _judge(circuit: Circuit, error: UpstreamFault) -> None:
    """Only silence and failure of the server itself count. What one caller can provoke (an answer that is too
    large, a credential that is not accepted) must not shut it for the others.
    """
    if isinstance(error, UpstreamRefused):
        if error.upstream_status >= _SERVER_ERROR:
            circuit.failed(error.retry_after)
        else:
            circuit.succeeded()
    elif isinstance(error, UpstreamTimeout) or (
        # A child process that is being started again says until when: it is left alone already.
        isinstance(error, UpstreamUnreachable) and error.retry_after is None
    ):
        circuit.failed()
    else:
        circuit.abandoned()


def _tell(server: str, before: str, after: str) -> None:
    if after == "open" and before != "open":
        _LOG.warning("the MCP server %s has failed too often and is left alone for a while", server)
    elif after == "closed" and before != "closed":
        _LOG.warning("the MCP server %s answers again", server)
