"""What is built in."""

from __future__ import annotations

from typing import Any

from vistoken import registry
from vistoken.family import Family, Published
from vistoken.frozen import frozen
from vistoken.model_spec import Level


@frozen
class Model:
    """One built-in model. `verbs` are what can be done with it; `trust` is the lower of its two labels."""

    name: str
    aliases: tuple[str, ...]
    family: str
    patch: str
    rule: str
    own_size: str | None
    verbs: tuple[str, ...]
    trust: Level

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__match_args__}


def models() -> tuple[Model, ...]:
    """All built-in models, and those of families that other packages register.

    >>> [model.name for model in models() if model.family == "front end"]
    ['vistoken/front-end']
    """
    return tuple(_model(family, published) for family in registry.families() for published in family.published)


def _model(family: Family, published: Published) -> Model:
    spec = registry.describe(published.name)
    rule = spec.known_rule()
    verbs = ("count", "plan", "encode", "look") if spec.encoder else ("count", "look")
    own = str(spec.own_size) if spec.own_size else None
    aliases = (*published.names[1:], *((published.series,) if published.series else ()))
    return Model(published.name, aliases, family.name, str(rule.patch), rule.kind, own, verbs, spec.trust.level)
