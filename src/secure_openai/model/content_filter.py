"""What Azure's content filter says of prompts and answers, read from every shape it has.

Sources: Microsoft Learn, "Content filtering in Microsoft Foundry Models" (annotations, error
responses), "Content streaming"; the Responses API carries the same as `content_filters`. What is
kept are categories and severities by allow-list: a model cannot write a text into the audit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from secure_openai.types import JsonObject, Verdict

CATEGORIES = {
    "custom_blocklists": "a word on this organisation's block list",
    "custom_topics": "a topic that this organisation blocks",
    "hate": "hate",
    "indirect_attack": "indirect attack: material that carries instructions of its own",
    "jailbreak": "jailbreak: an attempt to override the model's instructions",
    "personally_identifiable_information": "personal data",
    "profanity": "profanity",
    "protected_material_code": "someone else's published code",
    "protected_material_text": "someone else's published text",
    "self_harm": "self-harm",
    "sexual": "sexual content",
    "task_adherence": "an action beside the task",
    "ungrounded_material": "statements without a source",
    "violence": "violence",
}
"""What a category's name means to the person who reads it."""

OTHER = "other"
ANOTHER = "another rule"
SEVERITIES = ("low", "medium", "high")
"""From the least on; `safe` is no finding."""

_BY_MEANING = {meaning: name for name, meaning in CATEGORIES.items()}
_TOLD = re.compile(
    r"The content filter (?:blocked this prompt|stopped this answer)(?: \(([^)]*)\))?\."
)


def verdicts_of(payload: JsonObject) -> list[Verdict]:
    """Return what the filter found in an answer, an event or an error; nothing where it is safe."""
    found: list[Verdict] = []
    inner = payload.get("response")
    error = payload.get("error")
    for part in (payload, inner, error):
        if isinstance(part, dict):
            found.extend(_of_filters(part.get("content_filters")))
            found.extend(_of_prompts(part))
            found.extend(_of_choices(part.get("choices")))
    if isinstance(error, dict) and isinstance(error.get("innererror"), dict):
        found.extend(_of_results(error["innererror"].get("content_filter_result"), "prompt"))
    return found


def worst(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return one verdict for each source and category, the gravest."""
    gravest: dict[tuple[str, str], Verdict] = {}
    for one in verdicts:
        key = (one.source, one.category)
        known = gravest.get(key)
        if known is None or _gravity(one) > _gravity(known):
            gravest[key] = one
    return tuple(gravest[key] for key in sorted(gravest))


def categories_of(verdicts: Iterable[Verdict], source: str) -> tuple[str, ...]:
    """Return the categories that stopped a prompt or an answer, by name."""
    return tuple(
        sorted({one.category for one in verdicts if one.filtered and one.source == source})
    )


def named(categories: Iterable[str]) -> str:
    """Return categories as a sentence's aside, ` (violence)`, or nothing where there are none."""
    words = [CATEGORIES.get(name, ANOTHER) for name in categories]
    return f" ({'; '.join(words)})" if words else ""


def told_in(note: str) -> tuple[str, ...] | None:
    """Return the categories that a sentence of the filter names; `None` where it is no such one."""
    found = _TOLD.search(note)
    if found is None:
        return None
    return tuple(_BY_MEANING.get(word, OTHER) for word in found[1].split("; ")) if found[1] else ()


def _gravity(verdict: Verdict) -> tuple[bool, int]:
    severity = verdict.severity
    return verdict.filtered, SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _of_prompts(part: JsonObject) -> Iterator[Verdict]:
    for name in ("prompt_filter_results", "prompt_annotations"):
        for one in _objects(part.get(name)):
            yield from _of_results(one.get("content_filter_results"), "prompt")


def _of_choices(choices: object) -> Iterator[Verdict]:
    for one in _objects(choices):
        yield from _of_results(one.get("content_filter_results"), "answer")


def _of_filters(filters: object) -> Iterator[Verdict]:
    """The Responses API's list: what was looked at, and the results of it."""
    for one in _objects(filters):
        source = "prompt" if one.get("source_type") == "prompt" else "answer"
        yield from _of_results(one.get("content_filter_results"), source)


def _of_results(results: object, source: str) -> Iterator[Verdict]:
    if not isinstance(results, dict):
        return
    for name, result in results.items():
        if not isinstance(result, dict):
            continue
        filtered, said = result.get("filtered") is True, result.get("severity")
        severity = said if said in SEVERITIES else None
        if filtered or severity is not None or result.get("detected") is True:
            yield Verdict(source, name if name in CATEGORIES else OTHER, severity, filtered)


def _objects(value: object) -> Iterator[JsonObject]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
