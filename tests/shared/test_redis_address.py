"""What an address of Redis says."""

import pytest

from shared.redis_address import RedisAddress


def test_a_unix_socket_needs_nothing_but_a_ping() -> None:
    address = RedisAddress.parse("unix:///var/run/with%20space/valkey.sock")
    assert (address.path, address.handshake) == ("/var/run/with space/valkey.sock", (("PING",),))


def test_a_unix_socket_may_name_a_database() -> None:
    assert RedisAddress.parse("unix:///v.sock?db=3").handshake == (("SELECT", "3"), ("PING",))


def test_host_port_user_password_and_database_are_read() -> None:
    address = RedisAddress.parse("redis://me:s%40cret@redis.internal:6380/2")
    assert (address.host, address.port, address.path) == ("redis.internal", 6380, "")
    assert address.handshake == (("AUTH", "me", "s@cret"), ("SELECT", "2"), ("PING",))


def test_a_password_may_come_without_a_user() -> None:
    assert RedisAddress.parse("redis://:secret@host").handshake == (("AUTH", "secret"), ("PING",))


def test_the_port_has_a_default_and_database_0_is_not_selected() -> None:
    address = RedisAddress.parse("redis://[::1]/0")
    assert (address.host, address.port, address.handshake) == ("::1", 6379, (("PING",),))


def test_only_rediss_speaks_tls() -> None:
    assert RedisAddress.parse("redis://host").tls is None
    assert RedisAddress.parse("rediss://host").tls is not None


def test_the_password_is_not_shown() -> None:
    assert str(RedisAddress.parse("redis://:secret@host:1/0")) == "host:1"


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="starts with unix://"):
        RedisAddress.parse("http://host:6379")
