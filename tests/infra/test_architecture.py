"""The page and the picture of the architecture are what the Terraform says, today."""

from __future__ import annotations

import pytest

from secure_openai.posture.architecture.cost import estimate
from secure_openai.posture.architecture.diagram import diagram
from secure_openai.posture.architecture.page import ENVIRONMENTS, SHOWN, TITLE, page
from secure_openai.posture.architecture.services import services
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.topology import Topology
from tests.infra.conftest import Applied
from tests.infra.estate import ROOT

REGENERATE = "generate it: python -m secure_openai.posture.architecture.page"


def test_the_page_is_the_generated_one(applied: Applied) -> None:
    """The committed page cannot rot."""
    generated = page({name: applied(name)[1] for name in ENVIRONMENTS})

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


def test_every_service_is_observed_and_comes_back(private: Estate) -> None:
    """No service is without diagnostics or without a word on recovery."""
    for one in services(private):
        assert one.diagnostics != "none", one.title
        assert one.recovery, one.title
    assert SHOWN in ENVIRONMENTS
