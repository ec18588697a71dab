"""What an estate is named by whoever writes it does nothing to whoever reads about it."""

from __future__ import annotations

import copy
import json
import random
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import cache
from xml.etree import ElementTree as ET

import pytest

from secure_openai.posture.assumptions import Assumption, Assumptions
from secure_openai.posture.proof import Accepted
from secure_openai.posture.report.document import as_json
from secure_openai.posture.report.html import as_html
from secure_openai.posture.report.junit import as_junit
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.sarif import as_sarif
from secure_openai.posture.report.text import as_text
from tests.posture.mutants import resources
from tests.posture.report.conftest import State
from tests.posture.report.pages import ALLOWED, Page
from tests.posture.report.reports import report_of
from tests.posture.test_printable import HOSTILE

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=//evil.example>",
    "]]></text><!--",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}${7*7}",
    "javascript:alert(1)",
    "&lt;b&gt;&#x202e;",
)


Attacked = Callable[[str], Report]


def hostile(faults: State, text: str) -> State:
    """Return a broken state whose names, keys, tags and settings all hold a text."""
    found = copy.deepcopy(faults)
    for one in resources(found):
        values = one["values"]
        one["address"] += f'["{text}"]'
        if "name" in values and one["type"] != "azurerm_private_dns_zone":
            values["name"] = f"{values['name']}{text}"
        if one["type"] == "azurerm_storage_account":
            values["public_network_access_enabled"] = True
            values["tags"] = {"public-door": text}
        if "app_settings" in values:
            values["app_settings"][f"{text}_API_KEY"] = "0123456789abcdef0123456789abcdef"
        if one["type"] == "azurerm_virtual_network":
            values["dns_servers"] = [text]
            values["address_space"] = [text]
    found["values"]["outputs"] = {f"{text}_password": {"value": "hunter2hunter2"}}
    return found


@pytest.fixture(scope="module")
def attacked(faults: State) -> Attacked:
    """Return a function that makes a report in which all that can be named is named by a text."""

    @cache
    def once(text: str) -> Report:
        outside = "/subscriptions/0/resourcegroups/x/providers/microsoft.network"
        about = f"{outside}/virtualnetworks/other/subnets/a"
        assumed = Assumption(f"rules{text}", "filtered", (about,), f"They say{text}")
        vault = f'module.store.azurerm_key_vault.this["{text}"]'
        return report_of(
            hostile(faults, text),
            name=f"infra{text}",
            assumed=Assumptions((assumed,)),
            accepted=[Accepted("REACH-01", vault, f"because{text}", date(2099, 1, 1))],
        )

    return once


@pytest.mark.parametrize("text", [*MARKUP, *HOSTILE])
def test_a_page_shows_it_and_nothing_more(attacked: Attacked, text: str) -> None:
    """No element, no attribute and no character of it comes alive."""
    document = as_html(attacked(text))
    page = Page(document)
    document.encode("utf-8")

    assert page.faults == []
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    names = {name for _, attrs in page.tags for name in attrs}
    assert {one for one in names if one.startswith("on") or one in {"src", "style"}} == set()
    assert all(one.startswith("#") for one in page.attributes("href"))
    categories = {unicodedata.category(one) for one in document.replace("\n", "")}
    assert categories & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"} == set()


@pytest.mark.parametrize("text", MARKUP)
def test_a_page_shows_it_as_it_is_written(attacked: Attacked, text: str) -> None:
    """A reader sees the name, not what it would do."""
    page = Page(as_html(attacked(text)))

    assert f'azurerm_key_vault.this["{text}"]' in page.words
    assert f"because{text}" in page.words
    assert f"They say{text}" in page.words


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_is_not_moved(attacked: Attacked, text: str) -> None:
    """No escape, no carriage return and no mark of direction reaches it."""
    written = as_text(attacked(text))

    categories = {unicodedata.category(one) for one in written.replace("\n", "")}
    assert categories & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"} == set()


@pytest.mark.parametrize("text", [*MARKUP, *HOSTILE])
def test_programs_read_it_whole(attacked: Attacked, text: str) -> None:
    """JSON keeps it as it is; SARIF and JUnit can be parsed, and show what can be shown."""
    report = attacked(text)
    document = as_json(report)
    addresses = {
        finding["address"]
        for one in json.loads(document)["statements"]
        for finding in one["findings"]
    }
    assert document.isascii()
    assert any(one.endswith(f'["{text}"]') for one in addresses)
    scan = as_sarif(report)
    assert scan.isascii()
    for result in json.loads(scan)["runs"][0]["results"]:
        assert result["message"]["text"].replace("\n", "").isprintable()
    suite = ET.fromstring(as_junit(report))  # noqa: S314 - our own output
    assert len(suite.findall(".//testcase")) == len(report.proof.judged)


def test_a_name_of_ten_megabytes_is_cut(faults: State) -> None:
    """The page stays a page."""
    found = copy.deepcopy(faults)
    for one in resources(found):
        if one["type"] in {"azurerm_key_vault", "azurerm_subnet"}:
            one["values"]["name"] = "n" * 10_000_000
            one["address"] += f'["{"k" * 10_000_000}"]'
    report = report_of(found)
    document = as_html(report)
    text = as_text(report)

    assert "cut: 10,0" in document
    assert len(document) < 2_000_000
    assert len(text) < 500_000
    assert len(as_sarif(report)) < 1_000_000


ODD: tuple[object, ...] = (None, 3, "x", True, [], {}, [None], [[]], ["a"], [3], {"a": None})


@pytest.mark.parametrize("seed", range(40))
def test_a_shape_that_no_provider_writes_breaks_no_form(state: State, seed: int) -> None:
    """Whatever stands where something else should, each form is written."""
    chance = random.Random(seed)
    found = copy.deepcopy(state)
    for _ in range(chance.choice((1, 3, 10))):
        values = chance.choice(resources(found))["values"]
        values[chance.choice(list(values))] = copy.deepcopy(chance.choice(ODD))
    report = report_of(found)

    assert Page(as_html(report)).faults == []
    assert as_text(report).splitlines()[-1]
    assert json.loads(as_json(report))["verdict"] == report.proof.verdict
    assert json.loads(as_sarif(report))["version"] == "2.1.0"
    assert ET.fromstring(as_junit(report)).tag == "testsuites"  # noqa: S314 - our own output
