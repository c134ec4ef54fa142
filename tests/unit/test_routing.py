"""Routing: every reason, rules before and after the model, and names in the policy that point nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import tickets

from pipeline.config import Routing, Rule
from pipeline.errors import ConfigError
from pipeline.routing import Decision, RoutingPolicy, check_policy


def decide(policy: RoutingPolicy, rows: pd.DataFrame | None = None, **said: Any) -> Decision:
    """A decision for one or more tickets, about which the model says `said`."""
    rows = (tickets(1) if rows is None else rows).assign(text=lambda f: f["subject"] + "\n" + f["body"])
    n = len(rows)
    usual: dict[str, Any] = {
        "label": ["printing"] * n,
        "confidence": np.full(n, 0.8),
        "topic": ["printer"] * n,
        "priority": ["low"] * n,
        "oos": np.full(n, np.nan),
        "fallback": [None] * n,
    }
    return policy.decide(rows, **(usual | said))


def one(policy: RoutingPolicy, rows: pd.DataFrame | None = None, **said: Any) -> tuple[str | None, str | None]:
    found = decide(policy, rows, **said)
    assert len(found.queue) == len(found.reason) == 1
    return found.queue[0], found.reason[0]


def policy(*rules: Rule, least: float = 0.5, **more: Any) -> RoutingPolicy:
    return RoutingPolicy(Routing(rules=rules), {"*": least}, **more)


FIRE = Rule("fire", "safety", keywords=("on fire",))
LATE = Rule("late", "night shift", when="after", languages=("en",))


def test_a_sure_ticket_goes_where_the_model_says() -> None:
    assert one(policy()) == ("printing", "model")


@pytest.mark.parametrize("confidence", [0.49, np.nan])
def test_an_unsure_ticket_goes_to_a_person(confidence: float) -> None:
    assert one(policy(), confidence=np.array([confidence])) == ("triage", "abstained")


def test_a_confidence_at_the_threshold_is_enough() -> None:
    assert one(policy(), confidence=np.array([0.5])) == ("printing", "model")


def test_a_queue_has_its_own_threshold_and_the_others_share_one() -> None:
    strict = RoutingPolicy(Routing(), {"printing": 0.9, "*": 0.1})
    assert one(strict) == ("triage", "abstained")
    assert one(strict, label=["mail"]) == ("mail", "model")
    assert one(RoutingPolicy(Routing(), {"*": float("inf")}), confidence=np.array([1.0]))[1] == "abstained"
    assert one(RoutingPolicy(Routing(), {}), confidence=np.array([0.0])) == ("printing", "model")


def test_without_a_model_a_person_decides() -> None:
    assert one(policy(), label=[None], confidence=np.array([np.nan])) == ("triage", "abstained")


@pytest.mark.parametrize(("oos", "reason"), [(0.71, "abstained"), (0.7, "model"), (np.nan, "model")])
def test_a_ticket_out_of_scope_goes_to_a_person(oos: float, reason: str) -> None:
    assert one(policy(oos_threshold=0.7), oos=np.array([oos]))[1] == reason


@pytest.mark.parametrize("code", ["bad_time", "text_too_long", "unscorable"])
def test_a_refused_ticket_goes_to_a_person_whatever_the_rules_say(code: str) -> None:
    assert one(policy(FIRE, LATE), fallback=[code]) == ("triage", f"fallback:{code}")


def test_a_ticket_without_words_abstains_but_rules_still_hold() -> None:
    assert one(policy(), fallback=["no_text"]) == ("triage", "fallback:no_text")
    assert one(policy(LATE), fallback=["no_text"]) == ("night shift", "rule:late")
    channel = Rule("phones", "phone desk", customers=("c0",))
    assert one(policy(channel), fallback=["no_text"]) == ("phone desk", "rule:phones")


def test_a_rule_before_the_model_wins_over_a_sure_model() -> None:
    assert one(policy(FIRE)) == ("safety", "rule:fire")


def test_a_rule_after_the_model_is_for_what_the_model_leaves() -> None:
    assert one(policy(LATE)) == ("printing", "model")
    assert one(policy(LATE), confidence=np.array([0.1])) == ("night shift", "rule:late")


def test_rules_are_tried_in_order_and_those_before_first() -> None:
    again = Rule("again", "elsewhere", keywords=("on fire",))
    assert one(policy(FIRE, again))[1] == "rule:fire"
    assert one(policy(again, FIRE))[1] == "rule:again"
    assert one(policy(LATE, FIRE), confidence=np.array([0.1]))[1] == "rule:fire"


@pytest.mark.parametrize(
    ("keyword", "found"),
    [
        ("on fire", True),
        ("ON FIRE", True),
        ("fire", True),
        ("prints", True),
        ("print", False),  # part of a word
        ("do?", True),
        ("c++", False),
        ("(fire)", False),
    ],
)
def test_a_keyword_is_a_whole_word_in_any_case_and_never_a_pattern(keyword: str, found: bool) -> None:
    assert (one(policy(Rule("k", "q", keywords=(keyword,))))[1] == "rule:k") == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"topics": ("printer",)}, {"topic": ["mail"]}),
        ({"priorities": ("low",)}, {"priority": [None]}),
        ({"languages": ("en",)}, {"rows": tickets(1, language="de")}),
        ({"customers": ("c0",)}, {"rows": tickets(1, customer_id=None)}),
        ({"fields": {"tier": ("gold", "vip")}}, {"rows": tickets(1, fields_tier="tin")}),
        ({"keywords": ("fire",)}, {"rows": tickets(1, subject="x", body="y")}),
    ],
)
def test_each_condition_of_a_rule_must_hold(wanted: dict[str, Any], said: dict[str, Any]) -> None:
    rule = policy(Rule("r", "q", **wanted))
    assert one(rule, tickets(1, fields_tier="vip")) == ("q", "rule:r")
    assert one(rule, **said) == ("printing", "model")


def test_all_conditions_of_a_rule_must_hold_together() -> None:
    both = policy(Rule("r", "q", topics=("printer",), languages=("de",)))
    assert one(both)[1] == "model"
    assert one(both, tickets(1, language="de"))[1] == "rule:r"


def test_a_field_that_the_tickets_lack_matches_nothing() -> None:
    assert one(policy(Rule("r", "q", fields={"tier": ("vip",)})))[1] == "model"


def test_a_batch_is_decided_as_its_rows_alone() -> None:
    rows = tickets(6, language=["en", "de", "en", "fr", "en", "de"])
    confidence = np.linspace(0.2, 0.9, 6)
    whole = decide(policy(LATE), rows, confidence=confidence)
    alone = [one(policy(LATE), rows.iloc[[i]], confidence=confidence[[i]]) for i in range(6)]
    assert list(zip(whole.queue, whole.reason, strict=True)) == alone


def test_a_topic_without_an_entry_is_its_own_queue() -> None:
    mapped = RoutingPolicy(Routing(queues={"printer": "hardware"}), {})
    assert mapped.queue_of("printer") == "hardware" and mapped.queue_of("mail") == "mail"


def test_no_tickets_give_no_decisions() -> None:
    assert decide(policy(FIRE), tickets(1).iloc[:0]).queue == []


KNOWN = {
    "topics": ["printer", "mail", "login"],
    "queues": ["printer", "mail", "login"],
    "levels": ["low", "high"],
    "fields": ["tier", "product"],
}


@pytest.mark.parametrize(
    ("routing", "got", "near"),
    [
        (Routing(queues={"printr": "hardware"}), "printr", "printer"),
        (Routing(queues={"mail": "post ofice"}, known_queues=("post office",)), "post ofice", "post office"),
        (Routing(rules=(Rule("r", "mial"),)), "mial", "mail"),
        (Routing(rules=(Rule("r", "mail", topics=("logn",)),)), "logn", "login"),
        (Routing(rules=(Rule("r", "mail", priorities=("hihg",)),)), "hihg", "high"),
        (Routing(rules=(Rule("r", "mail", fields={"teir": ("vip",)}),)), "teir", "tier"),
        (Routing(rules=(Rule("r", "nail"),), known_queues=("mail",)), "nail", "mail"),
    ],
)
def test_a_name_that_points_nowhere_is_an_error_that_names_the_nearest(routing: Routing, got: str, near: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_policy(routing, **KNOWN)
    assert error.value.got == got
    assert near in error.value.do


def test_a_name_like_no_other_lists_what_is_known() -> None:
    with pytest.raises(ConfigError) as error:
        check_policy(Routing(queues={"zzzz": "x"}), **KNOWN)
    assert "login, mail, printer" in error.value.do


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two rules"):
        check_policy(Routing(rules=(Rule("r", "mail"), Rule("r", "login"))), **KNOWN)


@pytest.mark.parametrize(
    "routing",
    [
        Routing(),
        Routing(queues={"mail": "post"}, rules=(Rule("r", "post", topics=("mail",), fields={"tier": ("x",)}),)),
        Routing(rules=(Rule("r", "triage"),)),
        Routing(known_queues=("only",), rules=(Rule("r", "only", priorities=("low",)),)),
    ],
)
def test_a_policy_of_known_names_passes(routing: Routing) -> None:
    check_policy(routing, **KNOWN)
