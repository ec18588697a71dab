"""The estate that a Terraform configuration builds: its resources by type, address and id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final, Self

from secure_openai.posture.azapi_bodies import Reading, as_azurerm

Values = Mapping[str, Any]
Steps = tuple[str | int, ...]
"""The way to an attribute: names, and numbers in lists."""
Place = tuple[str, Steps]
"""A resource's address and the way to one of its attributes."""


class Unknown:
    """A value that nobody can know before it is built: it equals nothing and proves nothing."""

    def __repr__(self) -> str:
        return "(not known yet)"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Resource:
    """One managed resource of a state.

    Attributes:
        address: Where the configuration declares it, instance key included.
        type: Its type, such as `azurerm_key_vault`.
        values: Its attributes, as `terraform show -json` prints them.
        sensitive: Which of them may not be shown, likewise.
        unknown: Paths of attributes that are not known, or that a simulation made up.
        unread: Properties of a body in Azure's own words that no attribute stands for.
    """

    address: str
    type: str
    values: Values
    sensitive: Values = field(default_factory=dict, repr=False)
    unknown: Set[Steps] = field(default=frozenset(), repr=False)
    unread: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return its id; empty where it is not known."""
        return str(self.values.get("id") or "")

    @property
    def name(self) -> str:
        """Return its name in Azure; empty for what has none."""
        return str(self.values.get("name") or "")

    def get(self, path: str) -> Any:
        """Return the argument at a path such as `site_config.0.ftps_state`.

        Returns:
            None where it is absent, `UNKNOWN` where any of it is not known or was made up.
        """
        steps = _steps(path)
        if self.unknown and self._unsure(steps):
            return UNKNOWN
        value: Any = self.values
        for step in steps:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def hides(self, path: str) -> bool:
        """Return whether the argument at a path is sensitive, or holds or lies in what is."""
        marks: Any = self.sensitive
        for step in path.split("."):
            if marks is True:
                return True
            try:
                marks = marks[int(step) if step.isdigit() else step]
            except (KeyError, IndexError, TypeError):
                return False
        return _any(marks)

    def unsure(self, *names: str) -> bool:
        """Return whether any part of any of these arguments is not known, or was made up."""
        return any(not path or path[0] in names for path in self.unknown)

    def _unsure(self, steps: Steps) -> bool:
        return any(
            path[: len(steps)] == steps or steps[: len(path)] == path for path in self.unknown
        )

    def blocks(self, name: str) -> list[Values]:
        """Return the blocks of a name; empty where there are none."""
        found = self.values.get(name)
        return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []

    def items(self, name: str) -> list[Any]:
        """Return the known members of a list; empty where there is none."""
        found = self.values.get(name)
        return [one for one in found if one is not None] if isinstance(found, list) else []

    def refers(self, attribute: str) -> str:
        """Return an id that it names, in the case in which ids are compared; empty if none."""
        return fold(self.values.get(attribute))


@lru_cache(maxsize=4096)
def _steps(path: str) -> Steps:
    return tuple(int(step) if step.isdigit() else step for step in path.split("."))


def _any(marks: Any) -> bool:
    if isinstance(marks, Mapping):
        return any(_any(one) for one in marks.values())
    if isinstance(marks, list):
        return any(_any(one) for one in marks)
    return marks is True


def fold(identifier: object) -> str:
    """Return an id as Azure compares ids: without regard to case or a closing slash."""
    return str(identifier or "").rstrip("/").casefold()


def leaves(value: Any) -> Iterator[tuple[Steps, Any]]:
    """Yield what in a value holds nothing else, with the way to it, however deep it lies."""
    waiting: list[tuple[Steps, Any]] = [((), value)]
    while waiting:
        steps, one = waiting.pop()
        if one is None or isinstance(one, str | bool):
            # Most are, and to ask whether they are a mapping takes longest.
            yield steps, one
        elif isinstance(one, Mapping):
            waiting.extend(((*steps, name), one[name]) for name in reversed(list(one)))
        elif isinstance(one, list):
            waiting.extend(((*steps, at), one[at]) for at in reversed(range(len(one))))
        else:
            yield steps, one


@dataclass(frozen=True, slots=True)
class Decided:
    """Something of an estate that hangs on the answer of a data source.

    Attributes:
        address: The resource; empty where nothing can be told.
        type: Its type.
        names: The arguments that are decided; one empty name where it is the resource itself.
        says: The same in words.
    """

    address: str
    type: str
    names: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Estate:
    """All managed resources of a state, and its outputs.

    Attributes:
        resources: Every managed resource.
        outputs: The root module's outputs; `UNKNOWN` where a plan does not know one.
        invented: Places whose values a simulation made up or a plan does not know.
        relations: Whether ids are known, so that what refers to what can be told.
        looked_up: What data sources answered: no part of the estate, but it may be copied into it.
        left_out: Addresses that stand in no list of resources although they exist, with the reason.
        decided: What hangs on the answers of data sources that a simulation made up.
    """

    resources: tuple[Resource, ...]
    outputs: Values
    invented: Set[Place] = frozenset()
    relations: bool = True
    looked_up: tuple[Resource, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    decided: tuple[Decided, ...] = ()

    @classmethod
    def of(
        cls, state: Values, invented: Set[Place] = frozenset(), decided: tuple[Decided, ...] = ()
    ) -> Self:
        """Read a state as `terraform show -json` prints it."""
        hanging = {(one.address, (name,)) for one in decided for name in one.names if name}
        return replace(cls.within(state["values"], invented | hanging), decided=decided)

    @classmethod
    def within(
        cls,
        values: Values,
        invented: Set[Place] = frozenset(),
        *,
        relations: bool = True,
        left_out: tuple[tuple[str, str], ...] = (),
    ) -> Self:
        """Read the `values` of a state or the `planned_values` of a plan.

        Raises:
            KeyError: A resource is neither managed nor looked up.
        """
        unknown: dict[str, set[Steps]] = defaultdict(set)
        for address, path in invented:
            unknown[address].add(path)
        missing = None if relations else UNKNOWN
        outputs = {
            name: one.get("value", missing) for name, one in values.get("outputs", {}).items()
        }
        managed: list[Resource] = []
        looked_up: list[Resource] = []
        lists = {"managed": managed, "data": looked_up}
        for one in _entries(values.get("root_module", {})):
            lists[one["mode"]].append(resource_of(one, unknown.get(one["address"], set())))
        return cls(tuple(managed), outputs, invented, relations, tuple(looked_up), left_out)

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for one in sorted(self.resources, key=lambda one: one.address):
            found[one.type].append(one)
        return found

    @cached_property
    def _by_address(self) -> dict[str, Resource]:
        return {one.address: one for one in self.resources}

    @cached_property
    def _by_id(self) -> dict[str, Resource]:
        # An association has the id of what it associates: what comes first by type is not it.
        found: dict[str, Resource] = {}
        for one in self.resources:
            key = fold(one.values.get("id"))
            if key and (key not in found or found[key].type.endswith("_association")):
                found[key] = one
        return found

    @cached_property
    def _by_reference(self) -> dict[tuple[str, str], dict[str, list[Resource]]]:
        return {}

    @cached_property
    def _leaves(self) -> dict[int, tuple[tuple[Steps, Any], ...]]:
        return {}

    def leaves_of(self, one: Resource) -> tuple[tuple[Steps, Any], ...]:
        """Return `leaves` of a resource's arguments."""
        found = self._leaves.get(id(one))
        if found is None:
            found = self._leaves[id(one)] = tuple(leaves(one.values))
        return found

    @property
    def types(self) -> Set[str]:
        """Return every type that it has."""
        return self._by_type.keys()

    def every(self, *kinds: str) -> list[Resource]:
        """Return the resources of these types, in the order of their addresses."""
        if len(kinds) == 1:
            return self._by_type.get(kinds[0], [])
        found = [one for kind in kinds for one in self._by_type.get(kind, [])]
        return sorted(found, key=lambda one: one.address)

    def naming(self, kind: str, attribute: str, identifier: object) -> list[Resource]:
        """Return the resources of a type whose attribute names an id."""
        index = self._by_reference.get((kind, attribute))
        if index is None:
            index = defaultdict(list)
            for one in self.every(kind):
                index[one.refers(attribute)].append(one)
            self._by_reference[kind, attribute] = index
        key = fold(identifier)
        return index.get(key, []) if key else []

    def at(self, address: str) -> Resource:
        """Return the resource at an address.

        Raises:
            KeyError: There is none.
        """
        return self._by_address[address]

    def with_id(self, identifier: str) -> Resource:
        """Return the resource that has an id.

        Raises:
            KeyError: There is none.
        """
        return self._by_id[fold(identifier)]

    def known(self, identifier: object) -> Resource | None:
        """Return the resource that has an id, or None where it lies outside the estate."""
        return self._by_id.get(fold(identifier)) if identifier else None


def _entries(root: Values) -> Iterator[Values]:
    """Yield every resource of a module and of those below it, however deep they lie."""
    modules = [root]
    while modules:
        module = modules.pop()
        yield from module.get("resources", ())
        modules.extend(reversed(module.get("child_modules", ())))


def resource_of(entry: Values, unknown: Set[Steps] = frozenset()) -> Resource:
    """Return a resource as a state or plan tells of it, in azurerm's words where it can be."""
    read = as_azurerm(entry, unknown) if entry["type"] == "azapi_resource" else None
    if read is None:
        read = Reading(entry["type"], entry["values"], unknown, ())
    return Resource(
        entry["address"],
        read.type,
        read.values,
        entry.get("sensitive_values") or {},
        read.unknown,
        read.unread,
    )
