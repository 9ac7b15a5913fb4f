"""The endpoints below `/oauth`: tokens exchanged (RFC 8693), asked about (RFC 7662), revoked (RFC 7009)."""
