"""Version constraints."""

from __future__ import annotations

import pytest

from secure_openai.posture.simulation.constraints import allows


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("~> 5.2", True),
        ("~> 5.0", True),
        ("~> 5.3", False),
        ("~> 5.2.0", True),
        ("~> 5.1.9", False),
        ("~> 5", True),
        ("~> 4.0", False),
        (">= 4.0, < 6.0", True),
        (">= 4.0, < 5.0", False),
        ("5.2", True),
        ("= 5.2.0", True),
        ("!= 5.2.0", False),
        ("> 5.2.0", False),
        ("<= 5.2.0", True),
        ("v5.2.0", True),
        ("5.2.0-beta1", False),
        ("nonsense", False),
    ],
)
def test_allows(constraint: str, expected: bool) -> None:
    """A constraint admits the versions that Terraform would install for it."""
    assert allows(constraint, "5.2.0") is expected
