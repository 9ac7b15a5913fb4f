"""Push notification configs: 0.3 has them in an object of their own beside the task's id, 1.0 flat."""

from agent_gateway.bindings.earlier.raised import Json, kept


def raised(given: Json) -> Json:
    """A PushNotificationConfig of 0.3, without its task."""
    found = kept(given, "id", "url", "token")
    authentication = given.get("authentication")
    if authentication:
        schemes = authentication.get("schemes") or []
        found["authentication"] = {"scheme": schemes[0]} if schemes else {}
        found["authentication"] |= kept(authentication, "credentials")
    return found


def lowered(given: Json) -> Json:
    """A PushNotificationConfig of 0.3 from a flat one."""
    found: Json = {"url": ""} | kept(given, "id", "url", "token")
    authentication = given.get("authentication")
    if authentication:
        scheme = authentication.get("scheme")
        found["authentication"] = {"schemes": [scheme] if scheme else []}
        found["authentication"] |= kept(authentication, "credentials")
    return found


def raised_of_task(given: Json) -> Json:
    return raised(given["pushNotificationConfig"]) | kept(given, "taskId")


def lowered_of_task(given: Json) -> Json:
    return kept(given, "taskId") | {"pushNotificationConfig": lowered(given)}
