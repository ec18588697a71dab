"""The scripted model passes the contract."""

from __future__ import annotations

import pytest

from secure_openai.model.interface import Model
from secure_openai.model.scripted import ScriptedModel
from secure_openai.testing.model_contract import ModelContract


class TestScriptedModel(ModelContract):
    """In this process."""

    @pytest.fixture
    def model(self) -> Model:
        """Return the model."""
        return ScriptedModel()
