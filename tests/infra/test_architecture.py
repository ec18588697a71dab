"""The page and the picture of the architecture are what the Terraform says, today."""

from __future__ import annotations

import pytest

from secure_openai.posture.architecture.cost import estimate
from secure_openai.posture.architecture.diagram import diagram
from secure_openai.posture.architecture.page import ENVIRONMENTS, TITLE, options, page
from secure_openai.posture.architecture.recovery import carriers, recoveries
from secure_openai.posture.architecture.services import services
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Workspace
from secure_openai.posture.topology import Topology
from tests.infra.conftest import Applied
from tests.infra.estate import INFRA, ROOT, environment

REGENERATE = "generate it: python -m secure_openai.posture.architecture.page"


@pytest.fixture(scope="module")
def optional() -> list[Estate]:
    """Return the example of each optional module, applied."""
    return options(INFRA)


def test_the_page_is_the_generated_one(applied: Applied, optional: list[Estate]) -> None:
    """The committed page cannot rot."""
    generated = page({name: applied(name)[1] for name in ENVIRONMENTS}, optional)

    assert (ROOT / "docs" / "architecture.md").read_text() == generated, REGENERATE


def drawn(estate: Estate) -> str:
    """Return the picture of an estate as the page has it."""
    return diagram(Topology(estate, None, Assumptions()), TITLE)


def test_the_picture_is_the_generated_one(private: Estate) -> None:
    """Nor can the picture."""
    committed = (ROOT / "docs" / "architecture.svg").read_text()

    assert committed == drawn(private), REGENERATE


def test_the_picture_shows_every_endpoint(private: Estate) -> None:
    """Each private endpoint, each service and each private zone is in it, and nothing amiss."""
    picture = drawn(private)
    endpoints = private.every("azurerm_private_endpoint")

    assert sum(len(one.endpoints) for one in services(private)) == len(endpoints)
    # One more stands in the legend.
    assert picture.count('<circle class="end"') == len(endpoints) + 1
    for one in services(private):
        assert f">{one.title}<" in picture
    for zone in private.every("azurerm_private_dns_zone"):
        assert f">{zone.name.removeprefix('privatelink.')}<" in picture
    assert "stopped" not in picture.partition("</style>")[2]
    assert picture.count(">closed<") == len(services(private))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_cost_is_the_sum_of_what_is_there(name: str, applied: Applied) -> None:
    """The dearest comes first; workers and endpoints are counted, in a trial too."""
    lines = estimate(applied(name)[1])
    by_name = {line.what: line for line in lines}

    assert [line.cost for line in lines] == sorted((line.cost for line in lines), reverse=True)
    assert by_name["App Service worker, P0v3"].count == 2
    assert by_name["Private endpoint"].count >= 12


def test_every_service_is_observed(private: Estate) -> None:
    """No service is without diagnostics."""
    for one in services(private):
        assert one.diagnostics != "none", one.title


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_service_has_its_word_on_zones_and_recovery(name: str, applied: Applied) -> None:
    """What happens without a zone, what is kept and how it comes back: of each, and sourced."""
    estate = applied(name)[1]
    found = {one.title: one for one in recoveries(estate)}

    assert {one.title for one in services(estate)} <= found.keys()
    for one in found.values():
        assert "](https://learn.microsoft.com/azure/" in one.zone, one.title
        assert one.kept, one.title
        assert one.restored, one.title


def test_what_is_said_of_recovery_comes_from_the_settings(private: Estate) -> None:
    """Without zones and without a pair the words are others: none was typed."""
    off = {
        "geo_redundant": False,
        "log_retention_days": 30,
        "plan": {"workers": 3},
        "zone_redundant": False,
    }
    with Workspace(INFRA, var_files=[environment("private")], variables=off) as workspace:
        plain = {one.title: one for one in recoveries(Estate.of(workspace.apply()))}
    spread = {one.title: one for one in recoveries(private)}

    assert "2 workers (P0v3) stand in different zones" in spread["Web application"].zone
    assert "3 workers (P0v3) stand where Azure puts them" in plain["Web application"].zone
    assert "replicas in several zones" in spread["Cosmos DB"].zone
    assert "replicas in one zone" in plain["Cosmos DB"].zone
    for title in ("Storage (host)", "Storage (records)"):
        assert spread[title].zone.startswith("GZRS")
        assert "failover" in spread[title].restored
        assert plain[title].zone.startswith("LRS")
        assert "failover" not in plain[title].restored
    assert spread["Log Analytics"].kept == "logs 90 days"
    assert plain["Log Analytics"].kept == "logs 30 days"


def test_optional_parts_have_their_word_too(optional: list[Estate]) -> None:
    """The edge stands in three zones; Bastion and machines say that they stand in one."""
    found = {one.title: one for estate in optional for one in carriers(estate)}

    assert "in zones 1, 2, 3" in found["Application gateway"].zone
    assert "in one zone that Azure chooses" in found["Bastion"].zone
    assert found.keys() == {"Application gateway", "Bastion", "Machines"}
