"""Attempts to have the private estate proven although something in it is open.

Each is a change to the estate's state, as somebody would make it who knows how the proof is read, with
the statements of which one must not come out proven. `mutants.py` holds the plain faults.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.posture.attacks.doors import DOORS
from tests.posture.attacks.keeping import KEEPING
from tests.posture.attacks.keys import KEYS
from tests.posture.attacks.machines import MACHINES
from tests.posture.attacks.names import NAMES
from tests.posture.attacks.networks import NETWORKS
from tests.posture.attacks.roles import ROLES_HELD
from tests.posture.attacks.sign_in import SIGN_IN
from tests.posture.mutants import Mutant


def attacks() -> Iterator[Mutant]:
    """Yield every attack."""
    for table in (DOORS, NETWORKS, MACHINES, NAMES, KEYS, ROLES_HELD, SIGN_IN, KEEPING):
        for name, (statement, change) in table.items():
            yield Mutant(name, statement, change)
