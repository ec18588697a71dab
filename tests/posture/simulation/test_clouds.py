"""In which cloud a simulation works."""

from __future__ import annotations

from secure_openai.posture.simulation.cloud import Cloud


def test_azuread_does_not_move_the_estate_to_another_cloud() -> None:
    """It has its own names for clouds, and may be configured before azurerm or after it."""
    for blocks in (("usgovernment", "usgovernmentl4"), ("usgovernmentl4", "usgovernment")):
        cloud = Cloud()
        for name in blocks:
            cloud.configure({"environment": name})
        assert cloud.host("documents") == "documents.azure.us"
