"""What a region does not keep itself: its admin API says where to ask, instead of showing an empty list or
taking a change that nobody would obey.
"""

from shared.errors import BadRequest

# Areas of the admin API, and single pages of others, that are the control plane's alone.
_AREAS = ("accounts", "agents", "catalog", "keys", "objects", "regions")
_PAGES = ("/policy", "/policy/versions", "/policy/versions/{number}", "/policy/diff", "/policy/rollback")


class Elsewhere(BadRequest):
    """This is not the edge to ask."""

    status = 409


def refuse(plane: str) -> None:
    """Raises Elsewhere in a region of `plane`."""
    if plane:
        raise Elsewhere(
            f"this edge is in a region of the control plane at {plane} and only obeys it: "
            "read and change this there"
        )


def is_planes(method: str, path: str, area: str) -> bool:
    """Whether a page is about what the control plane keeps. The dry run of a kill is not: what is open in a
    region is known there alone.
    """
    return area in _AREAS or path in _PAGES or (area == "kills" and method != "POST")
