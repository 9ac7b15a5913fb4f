"""Problem details: as a whole answer, as the last event of a stream, and in no other body that has begun."""

import msgspec

from shared import sse
from shared.dialects.plain import Plain, PlainEvents
from shared.errors import Killed, Unauthenticated


def test_a_refusal_is_a_problem_that_names_the_call() -> None:
    status, headers, body = Plain().refusal(Unauthenticated("send a key"), "call-1")
    assert status == 401
    assert (b"content-type", b"application/problem+json") in headers
    assert (b"www-authenticate", b"Bearer") in headers
    found = msgspec.json.decode(body)
    assert (found["status"], found["detail"], found["instance"]) == (401, "send a key", "call-1")


def test_only_an_event_stream_is_told_why_it_ends() -> None:
    error = Killed("stopped by an operator")
    assert Plain().event(error, "call-1") == b""
    event = PlainEvents().event(error, "call-1")
    assert event.startswith(b"event: error\n")
    assert msgspec.json.decode(sse.data_of(event))["reason"] == "killed"
    assert PlainEvents().refusal(error, "call-1") == Plain().refusal(error, "call-1")
