"""The wires there are: the one place that knows them all."""

from agent_gateway.bindings import Binding
from agent_gateway.bindings.earlier.jsonrpc import EarlierJsonRpc
from agent_gateway.bindings.earlier.rest import EarlierRest
from agent_gateway.bindings.jsonrpc import JsonRpc
from agent_gateway.bindings.rest import Rest
from agent_gateway.call import Wire

WIRES: dict[Wire, Binding] = {
    "JSONRPC/1.0": JsonRpc(),
    "HTTP+JSON/1.0": Rest(),
    "JSONRPC/0.3": EarlierJsonRpc(),
    "HTTP+JSON/0.3": EarlierRest(),
}
