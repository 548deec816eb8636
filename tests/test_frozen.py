"""`frozen` against the standard decorator whose place it takes."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace

import pytest

from vistoken.frozen import frozen


class _Size:
    """Any."""

    width: int
    height: int = 3
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)


class _Words:
    """Fields whose names a made `__init__` might want for itself."""

    set: int = 1
    missing: tuple[int, ...] = field(default_factory=tuple)


class _Nothing:
    """No field at all."""


class _Named:
    """Fields by name alone, and a check."""

    late: int = 2
    early: int = field()

    def __post_init__(self):
        if self.early < 0:
            raise ValueError("early is below 0")


def both(kind, **options):
    """The class by the standard decorator, and by ours; of one name, so that their representations are comparable."""
    body = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    bare = [type(kind.__name__, (), dict(body)) for _ in range(2)]
    return dataclass(frozen=True, slots=True, **options)(bare[0]), frozen(**options)(bare[1])


@frozen
class Point:
    """A point that can be pickled: it stands in a module."""

    x: int
    y: tuple[int, ...] = ()


def test_calls_values_and_representations_are_those_of_the_standard_decorator():
    for theirs, ours in (both(_Size), both(_Words), both(_Nothing), both(_Named, kw_only=True)):
        given = {each.name: 5 for each in fields(theirs)}
        assert repr(ours(**given)) == repr(theirs(**given))
        assert [(f.name, f.default, f.kw_only) for f in fields(ours)] == [
            (f.name, f.default, f.kw_only) for f in fields(theirs)
        ]
        assert is_dataclass(ours)
        assert not hasattr(ours(**given), "__dict__")
    theirs, ours = both(_Size)
    assert repr(ours(1)) == repr(theirs(1)) == "_Size(width=1, height=3, tags=[])"
    assert ours(1).tags is not ours(1).tags
    assert [repr(kind()) for kind in both(_Words)] == ["_Words(set=1, missing=())"] * 2
    for wrong in (lambda kind: kind(), lambda kind: kind(1, 2, [], "", 5), lambda kind: kind(1, nothing=2)):
        messages = []
        for kind in (theirs, ours):
            with pytest.raises(TypeError) as caught:
                wrong(kind)
            messages.append(str(caught.value).removeprefix("_Size."))
        assert messages[0] == messages[1]


def test_equal_where_class_and_compared_fields_are():
    _, ours = both(_Size)
    assert ours(1, 2, [], "one") == ours(1, 2, [], "other")
    assert ours(1) != ours(2)
    _, other = both(_Size)
    assert ours(1) != other(1)
    assert ours(1) != (1, 3, [])
    assert both(_Nothing)[1]() != both(_Nothing)[1]()
    assert hash(Point(1)) == hash(Point(1, ())) != hash(Point(2))
    assert len({Point(1), Point(1), Point(1, (2,))}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(ours(1))


def test_nothing_is_assigned_or_deleted():
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="'x'"):
        point.x = 2
    with pytest.raises(FrozenInstanceError, match="'z'"):
        point.z = 2
    with pytest.raises(FrozenInstanceError, match="'x'"):
        del point.x
    assert point.x == 1


def test_copies_pickles_and_replaced_values():
    point = Point(1, (2, 3))
    assert copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    assert replace(point, x=4) == Point(4, (2, 3))
    match point:
        case Point(x, y):
            assert (x, y) == (1, (2, 3))


def test_the_check_after_filling_in_runs():
    _, ours = both(_Named, kw_only=True)
    assert (ours(early=1).late, ours(early=1).early) == (2, 1)
    with pytest.raises(ValueError, match="below 0"):
        ours(early=-1)
    with pytest.raises(TypeError):
        ours(1, 2)


def test_identity_and_representation_can_be_left_out():
    _, ours = both(_Nothing, eq=False)
    assert ours() != ours()
    _, quiet = both(_Size, repr=False)
    assert repr(quiet(1)).startswith("<")
