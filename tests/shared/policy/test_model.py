import casbin
import pytest
from casbin.model import Model

from shared.policy.condition import BadCondition
from shared.policy.model import MODEL, holds


def test_casbin_reads_the_model() -> None:
    model = Model()
    model.load_model_from_text(MODEL)
    assert [model["p"][name].tokens for name in ("p", "p2")] == [
        ["p_sub", "p_dom", "p_obj", "p_act", "p_cond", "p_eft"],
        ["p2_sub", "p2_dom", "p2_obj", "p2_act", "p2_cond"],
    ]
    assert set(model["m"]) == {"m", "m2"}
    assert casbin.__name__ == "casbin"


def test_no_condition_always_holds() -> None:
    assert holds("", {}, "allow")
    assert holds("", {}, "deny")


def test_what_cannot_be_told_does_not_allow_and_does_deny() -> None:
    assert not holds('tier == "gold"', {}, "allow")
    assert holds('tier == "gold"', {}, "deny")


def test_a_bad_condition_is_an_error_and_not_an_answer() -> None:
    with pytest.raises(BadCondition):
        holds("tier ==", {}, "allow")
