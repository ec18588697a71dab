"""The policy file in sentences."""

from __future__ import annotations

from secure_openai.policy.decision import Policy
from secure_openai.policy.explanation import english, explain

POLICY = """version = 1
[people.user]
deployments = ["a", "b"]
requests_per_minute = 11
tokens_per_minute = 12
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


def test_each_sentence_has_its_line() -> None:
    """What the file says is said, in its order, with the line that says it."""
    sentences = explain(Policy.parse(POLICY).document)
    said = [(one.line, english(one)) for one in sentences]

    people = "People with the role user"
    limits = (
        "11 requests and 12 tokens in a minute, {} tokens in a day (UTC), 16 requests at once; a "
        "prompt of 14 tokens and an answer of 15 at most."
    )
    for line, sentence in (
        (3, f"{people} may use a, b."),
        (4, f"{people}: {limits.format(13)}"),
        (10, f"{people} may send these fields besides those that everybody may: seed."),
        (11, f"{people}, of b: {limits.format(99)}"),
        (14, f"{people} who come by the client robot may use a."),
        (16, "Whoever asks for gpt-4o is answered by a."),
        (18, "A conversation that was not used for 30 days is deleted."),
        (19, "Tokens of a cost 1.5 USD a million in the prompt and 2 in the answer."),
        (22, "b is bought as GlobalStandard: its model's list price for that counts."),
        (0, "An export of somebody's data is deleted after 1 days."),
        (0, "Nobody else may use anything."),
    ):
        assert (line, sentence) in said
    lines = POLICY.splitlines()
    assert all(one.text == lines[one.line - 1].strip() for one in sentences if one.line)
    assert [line for line, _ in said if line] == sorted(line for line, _ in said if line)


def test_the_policy_that_ships_is_explained() -> None:
    """Every table of the package's own file has its sentences."""
    said = [english(one) for one in explain(Policy.load(None).document)]

    for who in ("People with the role user", "People with the role admin", "Applications with"):
        assert any(one.startswith(who) and one.endswith("that is served.") for one in said)
    assert "Conversations are kept until their owner deletes them." in said
