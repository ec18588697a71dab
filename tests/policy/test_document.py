"""What is wrong with a policy file is said at once, with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secure_openai.errors import PolicyError, Refused
from secure_openai.policy.decision import Policy
from secure_openai.policy.document import Retention
from secure_openai.toml_positions import line_of
from secure_openai.types import (
    Deployment,
    Parameters,
    Principal,
    PrincipalId,
    PrincipalKind,
    Reason,
)

LIMITS = """deployments = ["small", "large"]
requests_per_minute = 10
requests_per_day = 100
tokens_per_minute = 1000
tokens_per_day = 10000
largest_prompt_tokens = 500
largest_answer_tokens = 100
concurrent_streams = 2
"""
GOOD = f"version = 1\n[people.user]\n{LIMITS}"
OFFERED = [
    Deployment("small", "model", Parameters(answer_tokens=80)),
    Deployment("large", "model", Parameters(answer_tokens=4000)),
    Deployment("secret", "model"),
]


def principal(*roles: str, kind: PrincipalKind = PrincipalKind.PERSON) -> Principal:
    """Return someone with roles."""
    return Principal(PrincipalId("t", "o"), kind, frozenset(roles))


def problems(text: str) -> str:
    """Return what is wrong with a file."""
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text)
    return "\n".join(caught.value.problems)


MISTAKES = {
    "no TOML": ("version = = 1", "policy.toml:1: this is not TOML"),
    "unclosed": ('version = 1\n[people.user]\nx = "', "policy.toml:3: this is not TOML"),
    "a table twice": (GOOD + "[people.user]\n", "this is not TOML"),
    "empty": ("", "write version = 1"),
    "nobody": ("version = 1\n", "no role may use anything"),
    "version": (GOOD.replace("version = 1", "version = 2"), "policy.toml:1: write version = 1"),
    "unknown table": (GOOD + "[persons.user]\n", "policy.toml:11: 'persons' is not known here"),
    "an administrator by a service": (
        GOOD + "[on_behalf.admin]\n",
        "policy.toml:11: an application is never admin: write [on_behalf.user]",
    ),
    "aliases as a list": ("aliases = []\n" + GOOD, "policy.toml:1: write a table [aliases]"),
    "an alias that is a header": (
        GOOD + '[aliases]\n"x\\r\\nSet-Cookie: a=b" = "small"\n',
        "write an alias in letters, digits",
    ),
    "an alias that is a path": (GOOD + '[aliases]\n"../x" = "small"\n', "write an alias in"),
    "an alias of a header": (
        GOOD + '[aliases]\nx = "small\\r\\nX: y"\n',
        "write x = and a deployment's name",
    ),
    "an alias of a number": (GOOD + "[aliases]\nx = 1\n", "policy.toml:12: write x = and"),
    "an alias of an alias": (
        GOOD + '[aliases]\nx = "small"\ny = "x"\n',
        "policy.toml:13: x is an alias itself",
    ),
    "fields as a text": (GOOD + 'fields = "user"\n', "policy.toml:11: write fields = and a list"),
    "a field that is none": (GOOD + 'fields = ["a/b"]\n', "in small letters"),
    "what Azure would fetch": (
        GOOD + 'fields = ["data_sources"]\n',
        "data_sources can be admitted for nobody: the model does not fetch",
    ),
    "what Azure would keep": (
        GOOD + 'fields = ["previous_response_id"]\n',
        "can be admitted for nobody: nothing is stored",
    ),
    "a second bound": (
        GOOD + 'fields = ["max_new_tokens"]\n',
        "max_new_tokens can be admitted for nobody: what bounds an answer",
    ),
    "applications as a list": (
        GOOD + "application = []\n",
        "write a table [people.user.application.ID]",
    ),
    "an application of a strange name": (
        GOOD + '[people.user.application."a b"]\n',
        "named by the application's client id",
    ),
    "an application's mistake": (
        GOOD + "[people.user.application.cli]\ntokens_per_day = 0\n",
        "policy.toml:12: write tokens_per_day from 1",
    ),
    "an application within one": (
        GOOD + "[people.user.application.a.application.b]\n",
        "'application' is not known here",
    ),
    "unknown role": (GOOD + "[people.adimn]\n", "policy.toml:11: there is no role 'adimn'"),
    "suggestion": (GOOD + "[people.adimn]\n", "did you mean 'admin'?"),
    "a person's role for applications": (
        GOOD + "[applications.user]\n",
        "policy.toml:11: there is no role 'user'",
    ),
    "application as admin": (
        GOOD + "[applications.admin]\n",
        "policy.toml:11: an application is never admin",
    ),
    "role as a number": ("version = 1\n[people]\nuser = 1\n", "policy.toml:3: write a table"),
    "people as a number": ("version = 1\npeople = 1\n", "policy.toml:2: write a table"),
    "misspelt limit": (
        GOOD.replace("tokens_per_day", "token_per_day"),
        "policy.toml:7: 'token_per_day' is not known here: did you mean 'tokens_per_day'?",
    ),
    "missing limit": (
        GOOD.replace("tokens_per_day = 10000\n", ""),
        "policy.toml:2: tokens_per_day is missing",
    ),
    "missing requests a day": (
        GOOD.replace("requests_per_day = 100\n", ""),
        "policy.toml:2: requests_per_day is missing: write requests_per_day = and a number",
    ),
    "misspelt requests a day": (
        GOOD.replace("requests_per_day", "request_per_day"),
        "'request_per_day' is not known here: did you mean 'requests_per_day'?",
    ),
    "no requests a day": (
        GOOD.replace("requests_per_day = 100", "requests_per_day = 0"),
        "policy.toml:5: write requests_per_day from 1",
    ),
    "zero": (GOOD.replace("= 10\n", "= 0\n"), "policy.toml:4: write requests_per_minute from 1"),
    "negative": (GOOD.replace("= 10\n", "= -1\n"), "policy.toml:4: write requests_per_minute"),
    "too big": (GOOD.replace("= 10\n", "= 99999999999999\n"), "policy.toml:4: write requests"),
    "a text": (GOOD.replace("= 10\n", '= "10"\n'), "policy.toml:4: write requests_per_minute as"),
    "a fraction": (GOOD.replace("= 10\n", "= 1.5\n"), "policy.toml:4: write requests_per_minute"),
    "true": (GOOD.replace("= 10\n", "= true\n"), "policy.toml:4: write requests_per_minute as"),
    "no deployments": (GOOD.replace('["small", "large"]', "[]"), "policy.toml:3: write deploy"),
    "deployments as text": (GOOD.replace('["small", "large"]', '"*"'), "policy.toml:3: write dep"),
    "twice": (GOOD.replace('"large"', '"small"'), "policy.toml:3: a deployment is named twice"),
    "all and one": (GOOD.replace('"large"', '"*"'), 'policy.toml:3: write ["*"] alone'),
    "override of another": (
        GOOD + '[people.user.deployment."other"]\ntokens_per_day = 1\n',
        "policy.toml:11: the role may not use 'other'",
    ),
    "override unknown": (
        GOOD + "[people.user.deployment.small]\ncolour = 1\n",
        "policy.toml:12: 'colour' is not known here",
    ),
    "override as a number": (
        GOOD + "[people.user.deployment]\nsmall = 1\n",
        "policy.toml:12: write a table",
    ),
    "overrides as a number": (GOOD + "deployment = 1\n", "policy.toml:11: write a table"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(mistake: str) -> None:
    """Each is refused by a sentence that says where and what to write."""
    text, said = MISTAKES[mistake]

    assert said in problems(text)


def test_every_mistake_is_told_at_once() -> None:
    """Three mistakes are three sentences, in the order of their lines."""
    text = GOOD.replace("version = 1", "version = 9").replace("= 10\n", "= 0\n")
    lines = problems(text + "[applications.admin]\n").splitlines()

    assert [line.split(":")[1] for line in lines] == ["1", "4", "11"]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A missing file, and one that is not UTF-8."""
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        Policy.load(tmp_path / "latin.toml")


def test_the_file_that_ships_is_usable() -> None:
    """Without a file the package's own is read, and admits people and applications."""
    policy = Policy.load(None)

    for who in (
        principal("user"),
        principal("admin"),
        principal("service", kind=PrincipalKind.APPLICATION),
    ):
        assert policy.deployments_for(who, OFFERED) == OFFERED


@pytest.mark.parametrize(
    ("who", "name", "prompt", "answer", "choices", "reason"),
    [
        (principal(), "small", 1, None, 1, Reason.NO_ROLE),
        (principal("admin"), "small", 1, None, 1, Reason.NO_ROLE),
        (principal("service"), "small", 1, None, 1, Reason.NO_ROLE),
        (
            principal("user", kind=PrincipalKind.APPLICATION),
            "small",
            1,
            None,
            1,
            Reason.NO_ROLE,
        ),
        (principal("user"), "nothing", 1, None, 1, Reason.UNKNOWN_DEPLOYMENT),
        (principal("user"), "secret", 1, None, 1, Reason.DEPLOYMENT_NOT_ALLOWED),
        (principal("user"), "small", 501, None, 1, Reason.PROMPT_TOO_LARGE),
        (principal("user"), "small", 1, 101, 1, Reason.ANSWER_TOO_LARGE),
        (principal("user"), "small", 1, 51, 2, Reason.ANSWER_TOO_LARGE),
        (principal("user"), "small", 1, None, 101, Reason.ANSWER_TOO_LARGE),
    ],
)
def test_what_policy_does_not_allow_is_refused_with_its_reason(
    who: Principal, name: str, prompt: int, answer: int | None, choices: int, reason: Reason
) -> None:
    """Each refusal names its rule and says what may be done."""
    with pytest.raises(Refused) as caught:
        Policy.parse(GOOD).admit(
            who, name, OFFERED, prompt_tokens=prompt, answer_tokens=answer, choices=choices
        )

    assert caught.value.decision.reason is reason
    assert not caught.value.decision.allowed
    assert caught.value.detail.endswith(".")


def asked(text: str, who: Principal, name: str = "small") -> Any:
    """Return what a policy allows somebody."""
    return Policy.parse(text).admit(who, name, OFFERED, prompt_tokens=1, answer_tokens=None)


def test_an_application_has_limits_of_its_own() -> None:
    """What a table says for a client id holds for those who come by it, and for nobody else."""
    text = (
        GOOD.replace("[people.user]", "[applications.service]")
        + "[applications.service.application.batch]\n"
        + 'deployments = ["large"]\ntokens_per_day = 77\nfields = ["service_tier"]\n'
        + "[applications.service.application.batch.deployment.large]\nconcurrent_streams = 9\n"
    )
    kind = PrincipalKind.APPLICATION
    batch = Principal(PrincipalId("t", "b"), kind, frozenset({"service"}), client_id="batch")
    other = Principal(PrincipalId("t", "b"), kind, frozenset({"service"}), client_id="other")
    policy = Policy.parse(text)
    limits = asked(text, batch, "large").limits

    assert (limits.tokens_per_day, limits.concurrent_streams) == (77, 9)
    assert asked(text, other).limits.tokens_per_day == 10000
    assert policy.fields_for(batch) == {"service_tier"}
    assert policy.fields_for(other) == frozenset()
    with pytest.raises(Refused, match="may not use small"):
        asked(text, batch)


def test_an_application_inherits_the_limits_of_what_it_may_use() -> None:
    """A narrower list of deployments leaves out the limits of the others, and keeps its own."""
    text = (
        GOOD
        + "[people.user.deployment.small]\ntokens_per_day = 55\n"
        + "[people.user.deployment.large]\ntokens_per_day = 66\n"
        + '[people.user.application.cli]\ndeployments = ["small"]\n'
    )
    who = Principal(
        PrincipalId("t", "o"), PrincipalKind.PERSON, frozenset({"user"}), client_id="cli"
    )

    assert asked(text, who).limits.tokens_per_day == 55
    with pytest.raises(Refused, match="may not use large"):
        asked(text, who, "large")


def test_who_asks_on_behalf_of_a_person_needs_a_table_of_its_own() -> None:
    """The role `user` of people gives a service that asks for them nothing."""
    service = principal("user", kind=PrincipalKind.ON_BEHALF)
    with pytest.raises(Refused, match="no role here"):
        asked(GOOD, service)

    text = GOOD + "[on_behalf.user]\n" + LIMITS.replace("10000", "5000")
    assert asked(text, service).limits.tokens_per_day == 5000
    assert asked(text, principal("user")).limits.tokens_per_day == 10000


def test_aliases_are_further_names() -> None:
    """An alias means its deployment, is offered to whom that is, and hides no deployment."""
    text = GOOD + '[aliases]\n"gpt-4o" = "small"\nhidden = "secret"\nlarge = "small"\n'
    policy, user = Policy.parse(text), principal("user")

    assert asked(text, user, "gpt-4o").deployment.name == "small"
    assert asked(text, user, "large").deployment.name == "large"
    assert [offer.name for offer in policy.offers_to(user, OFFERED)] == ["small", "large", "gpt-4o"]
    with pytest.raises(Refused, match="may not use secret"):
        asked(text, user, "hidden")
    with pytest.raises(Refused, match="no such deployment"):
        asked(text, user, "none")


@pytest.mark.parametrize(
    ("name", "answer", "choices", "expected"),
    [("small", None, 1, 80), ("large", None, 1, 100), ("large", 40, 2, 40), ("large", None, 4, 25)],
)
def test_answers_are_bounded_by_role_deployment_and_wish(
    name: str, answer: int | None, choices: int, expected: int
) -> None:
    """The smallest of the three bounds each choice."""
    admitted = Policy.parse(GOOD).admit(
        principal("user"), name, OFFERED, prompt_tokens=1, answer_tokens=answer, choices=choices
    )

    assert admitted.answer_tokens == expected
    assert admitted.deployment.name == name


def test_several_roles_give_the_most_generous_of_each_limit() -> None:
    """Limits are compared one by one; an override counts for its deployment."""
    text = (
        GOOD
        + "[people.user.deployment.small]\ntokens_per_day = 77777\n"
        + "[people.admin]\n"
        + LIMITS.replace("= 10\n", "= 99\n").replace("= 500\n", "= 5\n")
    )
    both = Policy.parse(text).admit(
        principal("user", "admin"), "small", OFFERED, prompt_tokens=400, answer_tokens=None
    )

    assert both.limits.requests_per_minute == 99
    assert both.limits.prompt_tokens == 500
    assert both.limits.tokens_per_day == 77777


def test_lines_are_found_in_dotted_and_quoted_keys() -> None:
    """Dotted keys, quoted names and comments do not mislead."""
    lines = ["# people.user", "people.user.x = 1", '[people."user"]', "y = 2", "[other] # user"]

    assert line_of(lines, ("people", "user", "x")) == 2
    assert line_of(lines, ("people", "user", "y")) == 4
    assert line_of(lines, ("people", "user", "z")) == 3
    assert line_of(lines, ("other",)) == 5
    assert line_of(lines, ("nothing",)) == 1


@pytest.mark.parametrize(
    "written",
    ["0", "-1", "1.5", "true", '"30"', "36501", "[]"],
)
def test_days_that_are_none(written: str) -> None:
    """A retention that is no number of days is refused, with its line."""
    said = problems(f"{GOOD}[retention]\nconversation_days = {written}\n")

    assert said == "policy.toml:12: write conversation_days as a number of days, 1 to 36500."


def test_retention() -> None:
    """What is not said of retention keeps conversations, and exports for a day."""
    assert Policy.parse(GOOD).retention == Retention(None, 1)
    table = "[retention]\nconversation_days = 365\nexport_days = 3\n"
    assert Policy.parse(GOOD + table).retention == Retention(365, 3)
    near = problems(f"{GOOD}[retention]\nconversation_day = 3\n")
    assert "did you mean 'conversation_days'?" in near
    assert problems(f"retention = 3\n{GOOD}") == "policy.toml:1: write a table [retention]."
