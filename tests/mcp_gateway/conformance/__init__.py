"""The official conformance suite of MCP against the gateway: as a server, and as a client."""
