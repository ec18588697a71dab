"""What tokens cost: the list, what the policy file says instead, and what nobody knows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from secure_openai.errors import PolicyError
from secure_openai.policy.decision import Policy
from secure_openai.policy.prices import Price, PriceSource, cost_of
from secure_openai.tables import table
from secure_openai.types import Deployment

ROLE = """
version = 1
[people.user]
deployments = ["*"]
requests_per_minute = 1
tokens_per_minute = 1
requests_per_day = 1
tokens_per_day = 1
largest_prompt_tokens = 1
largest_answer_tokens = 1
concurrent_streams = 1
"""


def priced(model: str, rules: str = "", name: str = "chat") -> Price | None:
    """Return what a deployment of a model costs under some rules."""
    return Policy.parse(ROLE + rules).prices.of(Deployment(name, model))


@pytest.mark.parametrize(
    ("rules", "line", "sentence"),
    [
        ("[prices]\ncurrency = 'euro'", 13, "write currency = and three letters"),
        ("[prices]\nvat = 1", 13, "'vat' is not known here"),
        ("[prices.deployment.a]\nsku = 'Batch'", 13, "write sku = and one of"),
        ("[prices.deployment.a]\nprompt = 1", 12, "write both prompt and completion"),
        ("[prices.deployment.a]\nprompt = -1\ncompletion = 1", 13, "write prompt as the price"),
        ("[prices.deployment.a]\nprompt = nan\ncompletion = 1", 13, "write prompt as the price"),
        ("[prices.deployment.a]\nprompt = true\ncompletion = 1", 13, "write prompt as the price"),
        ("[prices.deployment]\na = 1", 13, "write a table [prices.deployment.a]"),
    ],
)
def test_a_price_that_is_none_is_refused(rules: str, line: int, sentence: str) -> None:
    """Each mistake is told with its line and what to write instead."""
    with pytest.raises(PolicyError) as raised:
        Policy.parse(ROLE + rules)

    (problem,) = raised.value.problems
    assert problem.startswith(f"policy.toml:{line}: {sentence}")


def test_unknown_is_not_nothing() -> None:
    """A model without a price, a SKU without one and another currency cost an unknown amount."""
    for price in (
        priced("model-router"),
        priced("scripted"),
        priced("gpt-5.1", "[prices.deployment.chat]\nsku = 'Standard'"),
        priced("gpt-5.1", "[prices]\ncurrency = 'EUR'"),
    ):
        assert price is None
        assert cost_of(price, prompt_tokens=1, completion_tokens=1) is None


def test_the_list_by_model_and_sku() -> None:
    """Where nobody says as what a deployment is bought, the estate's first choice is assumed."""
    listed = table("token_prices")["models"]["gpt-5.1"]
    assumed = priced("gpt-5.1")
    said = priced("gpt-5.1", "[prices.deployment.chat]\nsku = 'GlobalStandard'")

    assert assumed is not None
    assert said is not None
    assert (assumed.sku, assumed.assumed, assumed.source) == (
        "DataZoneStandard", True, PriceSource.TABLE,
    )  # fmt: skip
    assert assumed.prompt == Decimal(str(listed["DataZoneStandard"]["prompt"]))
    assert (said.sku, said.assumed) == ("GlobalStandard", False)
    assert said.completion == Decimal(str(listed["GlobalStandard"]["completion"]))
    assert said.prompt < assumed.prompt


def test_the_policy_file_comes_first() -> None:
    """What the file says of a deployment counts, in the currency that it names, to the cent."""
    rules = "[prices]\ncurrency='EUR'\n[prices.deployment.chat]\nprompt = 0.1\ncompletion = 3"
    price = priced("gpt-5.1", rules)

    assert price == Price(Decimal("0.1"), Decimal(3), PriceSource.POLICY)
    assert cost_of(price, prompt_tokens=3_000_000, completion_tokens=1) == Decimal("0.300003")
    assert Policy.parse(ROLE + rules).prices.currency == "EUR"


def test_the_list_is_of_models_that_are_known() -> None:
    """Every price is of a model and a SKU of the tables, and says when and where it was read."""
    listed, models = table("token_prices"), table("models")

    assert listed["read"]
    assert listed["source"]
    for model, rows in listed["models"].items():
        assert model in models["models"]
        assert set(rows) <= set(models["skus"]["judged"])
        assert all(row["prompt"] > 0 and row["completion"] >= 0 for row in rows.values())
