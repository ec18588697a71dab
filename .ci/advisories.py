#!/usr/bin/env python3
"""Asks whether anything that is locked here has a known vulnerability, on whatever platform.

Every requirement in `requirements/*.txt` and every package of each `package-lock.json` is asked
of OSV (https://google.github.io/osv.dev/post-v1-querybatch/), which gathers the advisories of PyPI,
npm and GitHub; names and versions go there, and nothing else. What people have looked at and live
with for a while stands in `.ci/accepted-advisories.json`, each with its reason and its last day.

The framework that a folder of `secure-openai new` carries is on no index; what it needs is locked
beside it.

Usage: advisories.py [FOLDER]. Ends with 0 where nothing is known, 1 where something is, and 2 where
something could not be asked, which is never fine. It takes nothing but Python's own library.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

OSV: Final = os.environ.get("OSV_URL", "https://api.osv.dev")
AT_ONCE: Final = 1000
"""As many questions as one request takes."""

SECONDS: Final = 60
PINNED: Final = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
CARRIED: Final = re.compile(
    r"\./vendor/azure_secure_openai-[^/\s]+\.whl --hash=sha256:[0-9a-f]{64}"
)
LOCKED_ELSEWHERE: Final = {"node_modules", ".venv", ".clients", ".git", "dist"}


class Unasked(Exception):
    """Something could not be read or asked; the sentence says what."""


class Locked(NamedTuple):
    """One version of one package.

    Attributes:
        ecosystem: As OSV calls it: `PyPI` or `npm`.
        name: As its index has it.
        version: Exactly.
    """

    ecosystem: str
    name: str
    version: str


def requirements(path: Path) -> Iterator[Locked]:
    """Yield what a locked set holds, for every platform and every Python.

    Raises:
        Unasked: A line names no exact version.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line[0] in " \t#" or CARRIED.fullmatch(line):
            continue
        found = PINNED.match(line)
        if found is None:
            raise Unasked(f"{path}: {line!r} names no exact version")
        yield Locked("PyPI", *found.groups())


def packages(path: Path) -> Iterator[Locked]:
    """Yield what a `package-lock.json` holds (lockfileVersion 2 or 3).

    Raises:
        Unasked: It is of another form.
    """
    try:
        rows: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["packages"]
        for place, row in rows.items():
            if place and not row.get("link"):
                name = row.get("name") or place.rpartition("node_modules/")[2]
                yield Locked("npm", name, row["version"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unasked(f"{path} is no lock file of npm 7 or later") from None


def everything(folder: Path) -> dict[Locked, list[str]]:
    """Return every package that is locked in a folder, with the files that lock it."""
    found: dict[Locked, list[str]] = {}
    for read, pattern in ((requirements, "requirements/*.txt"), (packages, "**/package-lock.json")):
        for path in sorted(folder.glob(pattern)):
            where = path.relative_to(folder)
            if LOCKED_ELSEWHERE.isdisjoint(where.parts):
                for one in read(path):
                    files = found.setdefault(one, [])
                    files.extend([str(where)] if str(where) not in files else [])
    if not found:
        raise Unasked(f"{folder} locks nothing: name the folder that holds requirements/")
    return found


def asked(path: str, body: Any = None) -> Any:
    """Return what OSV answers.

    Raises:
        Unasked: It does not.
    """
    request = urllib.request.Request(  # noqa: S310 - the address is ours
        OSV + path,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:  # noqa: S310 - as above
            return json.load(reply)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise Unasked(f"{OSV} cannot be asked: {error}") from None


def advisories(locked: list[Locked]) -> Iterator[tuple[Locked, str]]:
    """Yield each package of which something is known, with the advisory's id."""
    waiting = [
        (one, {"package": {"ecosystem": one.ecosystem, "name": one.name}, "version": one.version})
        for one in locked
    ]
    while waiting:
        batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        results = asked("/v1/querybatch", {"queries": [query for _, query in batch]})
        answers = results.get("results") if isinstance(results, dict) else None
        if not isinstance(answers, list) or len(answers) != len(batch):
            raise Unasked(f"{OSV} did not answer every question")
        for (one, query), answer in zip(batch, answers, strict=True):
            for advisory in answer.get("vulns") or ():
                yield one, str(advisory["id"])
            if token := answer.get("next_page_token"):
                waiting.append((one, {**query, "page_token": token}))


def accepted(path: Path, today: date) -> dict[str, str]:
    """Return the advisories that people live with until a day, each with the reason.

    Raises:
        Unasked: A row lacks its reason or its day, or its day is over.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        last = {key: date.fromisoformat(row["until"]) for key, row in rows.items()}
        why = {key: row["why"].strip() for key, row in rows.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unasked(
            f'{path}: write {{"GHSA-…": {{"why": "…", "until": "2026-12-31"}}}}'
        ) from None
    silent = [key for key, reason in why.items() if not reason]
    if silent:
        raise Unasked(f"{path}: say why of {', '.join(silent)}")
    over = [key for key, day in last.items() if day < today]
    if over:
        raise Unasked(f"{path}: look again at {', '.join(over)}, whose last day is over")
    return why


class Advisory(NamedTuple):
    """What is known.

    Attributes:
        names: Its id first, then what others call it.
        says: In a line.
        fixed: The versions that mend it.
    """

    names: list[str]
    says: str
    fixed: str


def told(advisory: str, about: Locked) -> Advisory | None:
    """Return what an advisory says of a package; None where it was withdrawn.

    Raises:
        Unasked: It says nothing that can be read.
    """
    whole = asked(f"/v1/vulns/{quote(advisory, safe='')}")
    if not isinstance(whole, dict):
        raise Unasked(f"{OSV} says nothing of {advisory}")
    if whole.get("withdrawn"):
        return None
    fixed = sorted(
        {
            event["fixed"]
            for one in whole.get("affected") or ()
            if one.get("package", {}).get("name", "").lower() == about.name.lower()
            for each in one.get("ranges") or ()
            for event in each.get("events") or ()
            if each.get("type") != "GIT" and "fixed" in event
        }
    )
    says = str(whole.get("summary") or whole.get("details") or "no summary")
    # It is somebody else's text: one line of it, without what moves a terminal.
    line = "".join(filter(str.isprintable, says.splitlines()[0]))[:200]
    return Advisory([advisory, *map(str, whole.get("aliases") or ())], line, ", ".join(fixed))


def _unaccepted(one: Locked, key: str, files: list[str], taken: dict[str, str]) -> bool:
    """Print what is known of a package; return whether nobody has accepted it."""
    advisory = told(key, one)
    if advisory is None:
        return False
    why = next((taken[name] for name in advisory.names if name in taken), "")
    print(f"{one.name} {one.version} ({', '.join(files)})")
    print(f"  {key}, {f'accepted: {why}' if why else 'known'}: {advisory.says}")
    print(f"  mended in {advisory.fixed or 'no version yet'}")
    return not why


def main() -> int:
    """Ask for everything, print what is known, and return the exit code."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    try:
        taken = accepted(folder / ".ci" / "accepted-advisories.json", datetime.now(UTC).date())
        locked = everything(folder)
        known = sum(
            _unaccepted(one, key, locked[one], taken) for one, key in advisories(list(locked))
        )
        print(f"{len(locked)} packages asked for, {known} advisories to act on.")
    except Unasked as error:
        print(f"✗ {error}.", file=sys.stderr)
        return 2
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
