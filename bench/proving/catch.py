"""Who catches which fault: every mutant of the private estate, proven and given to checkov."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tests.posture.mutants import Mutant, changed, harmless, mutants, resources

from bench.proving.plans import Plans
from bench.proving.scanner import Checkov, Pair, Report
from bench.proving.tables import row
from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Proof, Verdict, prove

GROUPS = {
    "REACH": "reach",
    "NAMES": "names",
    "KEYS": "keys",
    "ROLES": "roles",
    "SIGNIN": "sign-in",
    "KEEP": "keeping and seeing",
    "SEE": "keeping and seeing",
    "WHOLE": "whole",
}

# What checkov has a check for, so that it must catch it: otherwise the plan is not one that it reads.
# Three are relations, which its graph checks see by the configuration alone; the last is a secret.
CAUGHT_BY = {
    "module.store.azurerm_key_vault.this public_network_access_enabled = True": "CKV_AZURE_189",
    "module.store.azurerm_storage_account.records shared_access_key_enabled = True": "CKV2_AZURE_40",
    "module.store.azurerm_storage_account.host min_tls_version = 'TLS1_0'": "CKV_AZURE_44",
    "module.store.azurerm_cosmosdb_account.this public_network_access_enabled = True": "CKV_AZURE_101",
    "module.app.azurerm_linux_web_app.this https_only = False": "CKV_AZURE_14",
    'module.model.azurerm_cognitive_account.this["main"] local_auth_enabled = True': "CKV_AZURE_236",
    'without module.network[0].azurerm_subnet_network_security_group_association.this["endpoints"]': "CKV2_AZURE_31",
    "without module.store.azurerm_private_endpoint.vault[0]": "CKV2_AZURE_32",
    'without module.store.azurerm_private_endpoint.records["blob"]': "CKV2_AZURE_33",
    "module.app.azurerm_linux_web_app.this app_settings/OPENAI_API_KEY = '0123456789abcdef0123456789abcdef'": "CKV_SECRET_6",
}  # fmt: skip


@dataclass
class Tally:
    """Counts of one group: its faults, who caught them, and how many checkov attempts.

    Those are the faults in resources of a type that one of its checks is about, and what it caught.
    """

    faults: int = 0
    ours: int = 0
    theirs: int = 0
    known: int = 0

    def cells(self) -> tuple[str, ...]:
        """Return it as cells of a row."""
        return (
            str(self.faults),
            f"{self.ours} ({self.ours / self.faults:.0%})",
            f"{self.theirs} ({self.theirs / self.faults:.0%})",
            str(self.known),
            f"{self.theirs / self.known:.0%}" if self.known else "",
        )


class Catch:
    """Both, on one estate and its mutants.

    Args:
        state: The private estate's state.
        configuration: The `configuration` of its plan.
        checkov: A running checkov.
    """

    def __init__(
        self, state: dict[str, Any], configuration: dict[str, Any], checkov: Checkov
    ) -> None:
        self._state = state
        self._checkov = checkov
        self._plans = Plans(state, configuration)
        whole = resources(state)
        self.itself: Report = checkov.ask(self._plans.of(whole), whole)
        self._missed = dict(CAUGHT_BY)

    def theirs(self, mutant: Mutant) -> frozenset[Pair]:
        """Return the checks that fail on a mutant and not on the estate, on any resource."""
        entries = changed(self._state, mutant)
        report = self._checkov.ask(self._plans.of(entries), self._plans.written(entries))
        found = report.failed - self.itself.failed
        if self._missed.get(mutant.name) in {check for check, _ in found}:
            del self._missed[mutant.name]
        return found

    def ours(self, mutant: Mutant) -> Proof:
        """Return the proof of a mutant."""
        root = {"resources": changed(self._state, mutant)}
        return prove(Estate.of({"values": {"root_module": root}}))

    def faults(self) -> dict[str, Tally]:
        """Return the counts by group.

        Raises:
            SystemExit: checkov misses what it has a check for, so that its plans must be wrong.
        """
        tallies: dict[str, Tally] = defaultdict(Tally)
        every = mutants(self._state)
        for number, mutant in enumerate(every, 1):
            print(f"\r{number} of {len(every)} faults", end="", file=sys.stderr)
            tally = tallies[GROUPS[mutant.statement.partition("-")[0]]]
            tally.faults += 1
            tally.ours += self._meant(mutant)
            self._given(mutant, tally)
        print(file=sys.stderr)
        if self._missed:
            raise SystemExit(f"checkov does not see what it has checks for: {self._missed}")
        return tallies

    def _given(self, mutant: Mutant, tally: Tally) -> None:
        """Give a mutant to checkov, and count."""
        types = self._plans.types(changed(self._state, mutant))
        caught = bool(self.theirs(mutant))
        tally.theirs += caught
        tally.known += caught or bool(types & self._checkov.types)

    def _meant(self, mutant: Mutant) -> bool:
        """Return whether a statement meant for a fault is unproven; another's does not count."""
        proof = self.ours(mutant)
        unproven = {one.statement.id for one in proof.judged if one.verdict is not Verdict.PROVEN}
        return bool(unproven.intersection(mutant.statement.split()))

    def alarms(self) -> Tally:
        """Return the counts of harmless changes, and who raised an alarm."""
        tally = Tally()
        for mutant in harmless(self._state):
            tally.faults += 1
            tally.ours += self.ours(mutant).verdict is not Verdict.PROVEN
            self._given(mutant, tally)
        return tally


def table(catch: Catch) -> None:
    """Print who catches what."""
    known = "of a type that a check is about"
    row("faults", "number", "prove", "checkov", known, "checkov, of these")
    row("---", "---", "---", "---", "---", "---")
    tallies = catch.faults()
    whole = Tally()
    for name in dict.fromkeys(GROUPS.values()):
        tally = tallies[name]
        row(name, *tally.cells())
        for field in vars(whole):
            setattr(whole, field, getattr(whole, field) + getattr(tally, field))
    row("together", *whole.cells())
    row("harmless changes: false alarms", *catch.alarms().cells())
