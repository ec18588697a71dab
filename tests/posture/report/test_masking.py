"""Sensitive values never stand in anything that is said of an estate."""

from __future__ import annotations

import copy

import pytest

from secure_openai.posture.estate import Estate, Resource
from secure_openai.posture.report.document import as_json
from secure_openai.posture.report.html import as_html
from secure_openai.posture.report.junit import as_junit
from secure_openai.posture.report.masking import HIDDEN, Mask
from secure_openai.posture.report.sarif import as_sarif
from secure_openai.posture.report.text import as_text
from secure_openai.posture.statements.statement import Finding, Seen, held
from tests.posture.mutants import resources
from tests.posture.report.conftest import State
from tests.posture.report.reports import report_of

SECRET = "Sw0rdfish-Sw0rdfish"


def estate(**values: object) -> Estate:
    """Return an estate of one resource whose every value is sensitive."""
    one = Resource("a.b", "a", values, dict.fromkeys(values, True))
    return Estate((one,), {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, HIDDEN),
        (f'it is "{SECRET}"', f'it is "{HIDDEN}"'),
        (f"key={SECRET};", f"key={HIDDEN};"),
        (f"it is {SECRET}.", f"it is {HIDDEN}"),
        ("it is public", "it is public"),
    ],
)
def test_a_value_is_hidden_wherever_it_stands(text: str, shown: str) -> None:
    """Whole, in quotes, and as a part of something."""
    assert Mask(estate(password=SECRET))(text) == shown


def test_a_part_of_a_value_is_hidden_too() -> None:
    """Half of a connection string opens as much as the whole."""
    mask = Mask(estate(connection=f"Endpoint=https://x.example/;AccountKey={SECRET}"))

    assert SECRET not in mask(f"the key is {SECRET}")


def test_values_deep_inside_are_hidden() -> None:
    """Marks follow the shape of what they mark."""
    one = Resource(
        "a.b",
        "a",
        {"block": [{"key": SECRET, "name": "visible"}], "all": {"deep": ["another-secret"]}},
        {"block": [{"key": True}], "all": True},
    )
    mask = Mask(Estate((one,), {}))

    assert mask(f"{SECRET} another-secret visible") == f"{HIDDEN} {HIDDEN} visible"


def test_a_setting_that_is_sensitive_is_judged_and_not_shown() -> None:
    """Neither where it fails nor where it holds."""
    bad = Resource("a.b", "a", {"mode": "Open"}, {"mode": True})
    good = Resource("a.b", "a", {"mode": "Closed"}, {"mode": True})

    (finding,) = held(bad, "mode", ("Closed",))
    (seen,) = held(good, "mode", ("Closed",))
    assert isinstance(finding, Finding)
    assert isinstance(seen, Seen)
    assert finding.says == seen.says == "mode is sensitive and not shown"


@pytest.mark.parametrize("form", [as_html, as_text, as_json, as_sarif, as_junit])
def test_no_form_prints_one(state: State, form: object) -> None:
    """A name, a setting and a tag that a variable made sensitive stay where they are."""
    found = copy.deepcopy(state)
    for one in resources(found):
        if one["type"] == "azurerm_key_vault":
            one["values"]["name"] = SECRET
            one["values"]["tags"] = {"public-door": SECRET}
            one["values"]["public_network_access_enabled"] = True
            one["sensitive_values"] = {"name": True, "tags": {"public-door": True}}
        if one["type"] == "azurerm_log_analytics_workspace":
            one["values"]["internet_query_access_type"] = SECRET
            one["sensitive_values"] = {"internet_query_access_type": True}
        if one["type"] == "azurerm_storage_account":
            one["values"]["min_tls_version"] = SECRET
            one["sensitive_values"] = {"min_tls_version": True}
    report = report_of(found)

    assert len(report.findings) >= 3
    assert SECRET not in form(report)  # type: ignore[operator]
