"""Readable assertions in the contract suite."""

import pytest

pytest.register_assert_rewrite("secure_openai.testing.model_contract")
