"""The policy file in sentences."""

from __future__ import annotations

from secure_openai.policy.decision import Policy
from secure_openai.policy.explanation import Whom, explain

POLICY = """version = 1
[people.user]
deployments = ["a", "b"]
requests_per_minute = 11
tokens_per_minute = 12
requests_per_day = 17
tokens_per_day = 13
largest_prompt_tokens = 14
largest_answer_tokens = 15
concurrent_streams = 16
fields = ["seed"]
[people.user.deployment.b]
tokens_per_day = 99
[people.user.application.robot]
deployments = ["a"]
[aliases]
"gpt-4o" = "a"
[retention]
conversation_days = 30
[prices.deployment.a]
prompt = 1.5
completion = 2
[prices.deployment.b]
sku = "GlobalStandard"
"""


LIMITS = {
    "requests_per_minute": 11,
    "tokens_per_minute": 12,
    "requests_per_day": 17,
    "tokens_per_day": 13,
    "prompt_tokens": 14,
    "answer_tokens": 15,
    "concurrent_streams": 16,
}


def test_each_sentence_has_its_line() -> None:
    """What the file says is said, in its order, with the line that says it."""
    sentences = explain(Policy.parse(POLICY).document)
    user, robot = Whom("people", "user"), Whom("people", "user", "robot")

    said = [(one.line, one.key, one.whom, dict(one.values)) for one in sentences]
    for expected in (
        (3, "some", user, {"deployments": "a, b"}),
        (4, "limits", user, LIMITS),
        (11, "fields", user, {"fields": "seed"}),
        (12, "override", user, {**LIMITS, "tokens_per_day": 99, "deployment": "b"}),
        (15, "some", robot, {"deployments": "a"}),
        (17, "alias", None, {"alias": "gpt-4o", "deployment": "a"}),
        (19, "conversations_days", None, {"days": 30}),
        (20, "price", None, {
            "deployment": "a", "prompt": "1.5", "completion": "2", "currency": "USD",
        }),
        (23, "price_sku", None, {"deployment": "b", "sku": "GlobalStandard"}),
        (0, "export_days", None, {"days": 1}),
        (0, "nothing_else", None, {}),
    ):  # fmt: skip
        assert expected in said
    lines = POLICY.splitlines()
    assert all(one.text == lines[one.line - 1].strip() for one in sentences if one.line)
    assert [one.line for one in sentences if one.line] == sorted(
        one.line for one in sentences if one.line
    )


def test_the_policy_that_ships_is_explained() -> None:
    """Every table of the package's own file has its sentences."""
    sentences = explain(Policy.load(None).document)

    every = {
        (one.whom.table, one.whom.role) for one in sentences if one.key == "every" and one.whom
    }
    assert every == {
        ("people", "user"),
        ("people", "admin"),
        ("applications", "service"),
        ("on_behalf", "user"),
    }
    assert "conversations_kept" in {one.key for one in sentences}
