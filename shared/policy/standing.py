"""What rules say together to a question that is not one call: yes, no, or yes under conditions that hang on
the call.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from shared.policy.compiled import CompiledRule

Verdict = Literal["always", "sometimes"]


class Match(Struct, frozen=True):
    """A rule that is about some of what is asked, and whether about all of it."""

    rule: CompiledRule
    whole: bool


class Standing(Struct, frozen=True, kw_only=True):
    """How somebody stands to what was asked.

    `sometimes` says why: only one of the conditions `when` allows it, one of `unless` denies it, what is in
    `but` is denied, or only some of it is allowed (`whole` is False). `approval` says that a person may have
    to consent. `through` are the names by which the rules know them.
    """

    verdict: Verdict
    whole: bool
    rules: tuple[str, ...]
    through: tuple[str, ...]
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    approval: bool = False


def weighed(matches: Iterable[Match], known: Mapping[str, Any]) -> Standing | None:
    """The standing that these rules give; None where no call can be allowed. `known` is what is known of
    every call; conditions that read more are left in the answer.
    """
    in_order = sorted(matches, key=lambda match: match.rule.position)
    told = [(match, _outcome(match.rule, known)) for match in in_order]
    open_ = [(match, held) for match, held in told if held is not False]
    denies = [(match, held) for match, held in open_ if match.rule.effect == "deny"]
    if any(held and match.whole for match, held in denies):
        return None
    allows = [(match, held) for match, held in open_ if match.rule.effect == "allow"]
    if not allows:
        return None
    sure = [match for match, held in allows if held]
    certain = any(match.whole for match in sure)
    if certain:
        allows = [(match, held) for match, held in allows if held and match.whole]
    unless = _texts(match for match, held in denies if held is None)
    but = _unique(match.rule.obj for match, held in denies if held)
    return Standing(
        verdict="always" if certain and not unless and not but else "sometimes",
        whole=any(match.whole for match, _ in allows),
        rules=_unique(match.rule.id for match, _ in allows),
        through=_unique(match.rule.sub for match, _ in allows),
        when=() if certain else _texts(match for match, held in allows if held is None),
        unless=unless,
        but=but,
        approval=any(match.rule.effect == "approval" for match, _ in open_),
    )


def _outcome(rule: CompiledRule, known: Mapping[str, Any]) -> bool | None:
    if rule.cond is None:
        return True
    # Most conditions read nothing that is known before the call: those need no asking.
    return None if rule.cond.names.isdisjoint(known) else rule.cond.outcome(known)


def _texts(matches: Iterable[Match]) -> tuple[str, ...]:
    return _unique(match.rule.cond.text for match in matches if match.rule.cond is not None)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
