"""What a proof says about the controls of the Microsoft cloud security benchmark.

Source of the titles: https://learn.microsoft.com/security/benchmark/azure/overview (version 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.proof import Judged, Verdict

TITLES: Final = {
    "NS-1": "Establish network segmentation boundaries",
    "NS-2": "Secure cloud services with network controls",
    "NS-3": "Deploy firewall at the edge of enterprise network",
    "NS-4": "Deploy intrusion detection/intrusion prevention systems (IDS/IPS)",
    "NS-5": "Deploy DDOS protection",
    "NS-6": "Deploy web application firewall",
    "NS-7": "Simplify network security configuration",
    "NS-8": "Detect and disable insecure services and protocols",
    "NS-9": "Connect on-premises or cloud network privately",
    "NS-10": "Ensure Domain Name System (DNS) security",
    "IM-1": "Use centralized identity and authentication system",
    "IM-2": "Protect identity and authentication systems",
    "IM-3": "Manage application identities securely and automatically",
    "IM-4": "Authenticate server and services",
    "IM-5": "Use single sign-on (SSO) for application access",
    "IM-6": "Use strong authentication controls",
    "IM-7": "Restrict resource access based on conditions",
    "IM-8": "Restrict the exposure of credential and secrets",
    "IM-9": "Secure user access to existing applications",
    "PA-1": "Separate and limit highly privileged/administrative users",
    "PA-2": "Avoid standing access for user accounts and permissions",
    "PA-3": "Manage lifecycle of identities and entitlements",
    "PA-4": "Review and reconcile user access regularly",
    "PA-5": "Set up emergency access",
    "PA-6": "Use privileged access workstations",
    "PA-7": "Follow just enough administration (least privilege) principle",
    "PA-8": "Determine access process for cloud provider support",
    "DP-1": "Discover, classify, and label sensitive data",
    "DP-2": "Monitor anomalies and threats targeting sensitive data",
    "DP-3": "Encrypt sensitive data in transit",
    "DP-4": "Enable data at rest encryption by default",
    "DP-5": "Use customer-managed key option in data at rest encryption when required",
    "DP-6": "Use a secure key management process",
    "DP-7": "Use a secure certificate management process",
    "DP-8": "Ensure security of key and certificate repository",
    "AM-1": "Track asset inventory and their risks",
    "AM-2": "Use only approved services",
    "AM-3": "Ensure security of asset lifecycle management",
    "AM-4": "Limit access to asset management",
    "AM-5": "Use only approved applications in virtual machine",
    "LT-1": "Enable threat detection capabilities",
    "LT-2": "Enable threat detection for identity and access management",
    "LT-3": "Enable logging for security investigation",
    "LT-4": "Enable network logging for security investigation",
    "LT-5": "Centralize security log management and analysis",
    "LT-6": "Configure log storage retention",
    "LT-7": "Use approved time synchronization sources",
    "PV-1": "Define and establish secure configurations",
    "PV-2": "Audit and enforce secure configurations",
    "PV-3": "Define and establish secure configurations for compute resources",
    "PV-4": "Audit and enforce secure configurations for compute resources",
    "PV-5": "Perform vulnerability assessments",
    "PV-6": "Rapidly and automatically remediate vulnerabilities",
    "PV-7": "Conduct regular red team operations",
    "BR-1": "Ensure regular automated backups",
    "BR-2": "Protect backup and recovery data",
    "BR-3": "Monitor backups",
    "BR-4": "Regularly test backup",
}
"""The benchmark's controls, in its order."""

_BENCHMARK: Final = "MCSB "
_POLICY: Final = "Azure Policy "
_CHECKOV: Final = "checkov "


@dataclass(frozen=True, slots=True)
class Answer:
    """A statement that answers a control, with the policies and the checks that it stands for."""

    judged: Judged
    policies: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """A control: its id (empty for what answers none), its title, and what answers it."""

    id: str
    title: str
    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> Verdict:
        """Return what came of it: one finding outweighs every doubt."""
        verdicts = {one.judged.verdict for one in self.answers}
        for wanted in (Verdict.FINDING, Verdict.CANNOT_TELL):
            if wanted in verdicts:
                return wanted
        return Verdict.PROVEN


def controls(judged: Iterable[Judged]) -> list[Control]:
    """Return the controls that the statements answer, in the benchmark's order; the rest last."""
    found: dict[str, list[Answer]] = {}
    for one in judged:
        answer = Answer(one, _after(one, _POLICY), _after(one, _CHECKOV))
        for control in _after(one, _BENCHMARK) or ("",):
            found.setdefault(control, []).append(answer)
    order = {name: place for place, name in enumerate(TITLES)}
    names = sorted(found, key=lambda name: (not name, order.get(name, len(order)), name))
    return [Control(name, _title(name), tuple(found[name])) for name in names]


def _title(name: str) -> str:
    return TITLES.get(name, "") if name else "No control of the benchmark"


def _after(one: Judged, what: str) -> tuple[str, ...]:
    return tuple(
        each.removeprefix(what) for each in one.statement.controls if each.startswith(what)
    )
