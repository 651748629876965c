"""Types that people give as ``output_type``, drawn by Hypothesis."""
# ruff: noqa: UP007 - what a union is made of is known only here

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import itertools
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union

from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel, create_model
from typing_extensions import NotRequired, TypedDict

Draw = Callable[[st.SearchStrategy[Any]], Any]

ANY = "any"
_numbers = itertools.count()
_NAMES = ("mood", "amount", "class", "from", "Total", "tags_2", "kind", "naïve")
_WORDS = st.sampled_from(("good", "bad", "1", "2", "true", "so so", "ü"))


class Drawn(NamedTuple):
    """A type, and what of it no schema of the services can say."""

    type: Any
    unsaid: frozenset[str]
    """Pydantic's names of what is left to the check of the answers; `ANY` where it may be any of them."""
    free_keys: bool
    """It has an object whose names are not known, which the Gemini API has no word for."""


@st.composite
def output_types(draw: Draw) -> Drawn:
    """Draw a type of up to three levels."""
    maker = _Maker(draw)
    made = maker.any(draw(st.integers(1, 3)))
    return Drawn(made, frozenset(maker.unsaid), maker.free_keys)


class _Texts(str, enum.Enum):
    """Of texts that are strings themselves."""


class _Mood(str, enum.Enum):
    SAD = "sad"


class _Mark(enum.IntEnum):
    ONE = 1


class _Maker:
    """Makes one type out of what is drawn."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self.unsaid, self.free_keys = set[str](), False

    def any(self, depth: int) -> Any:
        """Make a type of up to so many levels."""
        kinds = [self._leaf] if depth == 0 else [self._leaf, *self._NESTED]
        return self._one(kinds)(depth - 1) if depth else self._leaf(0)

    def _one(self, options: Any) -> Any:
        return self._draw(st.sampled_from(options))

    def _maybe(self) -> bool:
        return bool(self._draw(st.booleans()))

    def _name(self) -> str:
        return f"T{next(_numbers)}"

    # ------------------------------------------------------------ single values

    def _leaf(self, _: int) -> Any:
        return self._one(self._LEAVES)(self)

    def _plain(self) -> Any:
        return self._one(
            (str, int, float, bool, bytes, dt.date, dt.datetime, dt.time, dt.timedelta, uuid.UUID, None)
        )

    def _text(self) -> Any:
        if self._maybe():
            return Annotated[str, Field(pattern=self._one((r"^[a-z]{2,4}$", r"^\d+-[A-Z]$")))]
        if self._maybe():  # no pattern that Google's regular expressions have
            self.unsaid |= {"decimal_max_digits", "decimal_max_places", "decimal_whole_digits"}
            return Annotated[decimal.Decimal, Field(max_digits=5, decimal_places=2)]
        least = self._draw(st.integers(0, 3))
        return Annotated[str, Field(min_length=least, max_length=least + 4)]

    def _whole(self) -> Any:
        low = self._draw(st.integers(-5, 5))
        bounds = self._one(
            (
                {"ge": low, "le": low + 3},
                {"gt": low, "lt": low + 3},
                {"gt": low},
                {"lt": low},
                {"multiple_of": 3},
            )
        )
        self.unsaid |= bounds.keys() & {"multiple_of"}
        return Annotated[int, Field(**bounds)]

    def _number(self) -> Any:
        bounds = self._one(({"ge": 0.5, "le": 2}, {"ge": -1}, {"gt": 0}, {"lt": 1.5}, {"multiple_of": 0.5}))
        names = {"gt": "greater_than", "lt": "less_than", "multiple_of": "multiple_of"}
        self.unsaid |= {names[name] for name in bounds if name in names}
        return Annotated[self._one((float, decimal.Decimal)), Field(**bounds)]

    def _literal(self) -> Any:
        values = self._draw(
            st.lists(_WORDS | st.integers(-3, 3) | st.booleans() | st.none(), min_size=1, max_size=4)
        )
        return Literal[tuple(values)]

    def _enum(self) -> Any:
        values = self._draw(
            st.lists(
                _WORDS | st.integers(-3, 3) | st.floats(-2, 2) | st.booleans() | st.none(),
                min_size=1,
                max_size=4,
                unique_by=repr,
            )
        )
        base = enum.Enum
        if self._maybe() and all(isinstance(value, str) for value in values):
            base = self._one((enum.Enum, _Texts))
        members = {f"M{number}": value for number, value in enumerate(values)}
        return base(self._name(), members)

    def _int_enum(self) -> Any:
        values = self._draw(st.lists(st.integers(-5, 300), min_size=1, max_size=4, unique=True))
        return enum.IntEnum(self._name(), {f"M{number}": value for number, value in enumerate(values)})

    _LEAVES = (_plain, _plain, _text, _whole, _number, _literal, _enum, _int_enum)

    # ------------------------------------------------------------ of other types

    def _list(self, depth: int) -> Any:
        inner = self.any(depth)
        if self._maybe():
            return self._one((list[inner], tuple[inner, ...]))
        return Annotated[list[inner], Field(min_length=1, max_length=3)]

    def _set(self, _: int) -> Any:
        inner = self._leaf(0)
        if self._maybe():
            return self._one((set[inner], frozenset[inner]))
        self.unsaid |= {"too_short"}  # equal items are one
        return Annotated[set[inner], Field(min_length=2)]

    def _tuple(self, depth: int) -> Any:
        kinds = [self.any(depth) for _ in range(self._draw(st.integers(1, 3)))]
        if len(kinds) > 1:
            self.unsaid.add(ANY)  # which of them comes first
        if self._maybe():
            return tuple[tuple(kinds)]
        return NamedTuple(self._name(), [(f"f{number}", kind) for number, kind in enumerate(kinds)])

    def _mapping(self, depth: int) -> Any:
        inner = self.any(depth)
        if self._maybe():
            return dict[Literal["left", "right"], inner]
        self.free_keys = True
        if self._maybe():
            return dict[str, inner]
        self.unsaid |= {"int_parsing"}
        return dict[int, inner]

    def _optional(self, depth: int) -> Any:
        return Union[self.any(depth), None]

    def _union(self, depth: int) -> Any:
        return Union[tuple(self.any(depth) for _ in range(self._draw(st.integers(2, 3))))]

    def _root(self, depth: int) -> Any:
        return RootModel[self.any(depth)]

    def _fields(self, depth: int) -> dict[str, Any]:
        names = self._draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True))
        return {name: self.any(depth) for name in names}

    def _model(self, depth: int) -> Any:
        fields = {}
        for number, (name, kind) in enumerate(self._fields(depth).items()):
            default = ... if self._maybe() else None
            alias = self._one(
                (
                    {},
                    {},
                    {"alias": f"alias {number}" if self._maybe() else f"alias_{number}"},
                    {"validation_alias": AliasPath(f"outer{number}", "inner")},
                    {"validation_alias": AliasChoices(AliasPath(f"a{number}", 0), f"b{number}")},
                    {"serialization_alias": "elsewhere"},
                )
            )
            if " " in str(alias):  # names that only one of the services takes are another matter
                alias = {"alias": f"alias{number}"}
            fields[f"f_{number}" if not name.isidentifier() or name in ("class", "from") else name] = (
                kind if default is ... else Union[kind, None],
                Field(default, description="what is meant" if self._maybe() else None, **alias),
            )
        config = self._one(
            (
                {},
                {"extra": "forbid"},
                {"extra": "allow"},
                {"populate_by_name": True},
                {"validate_by_name": True, "validate_by_alias": False},
                {"strict": True},
                {"frozen": True},
            )
        )
        return create_model(self._name(), __config__=ConfigDict(**config), **fields)

    def _typed_dict(self, depth: int) -> Any:
        fields = self._fields(depth)
        return TypedDict(
            self._name(),
            {name: NotRequired[kind] if self._maybe() else kind for name, kind in fields.items()},
            total=self._maybe(),
        )

    def _dataclass(self, depth: int) -> Any:
        fields = [(f"f{number}", kind) for number, kind in enumerate(self._fields(depth).values())]
        return dataclasses.make_dataclass(self._name(), fields)

    def _tagged(self, depth: int) -> Any:
        tags = self._one(
            (("cat", "dog"), (1, 2), ("a", 3), ("1", 2), (2, "3"), (True, "no"), (_Mark.ONE, _Mood.SAD))
        )
        alias = {"alias": "type"} if self._maybe() else {}
        branches: list[type[BaseModel]] = []
        for tag in tags:
            has_default = self._maybe()
            branches.append(
                create_model(
                    self._name(),
                    kind=(Literal[tag], Field(tag if has_default else ..., **alias)),
                    value=(self.any(depth), ...),
                )
            )
        return Annotated[Union[tuple(branches)], Field(discriminator="kind")]

    _NESTED_NAMES = (
        "list",
        "set",
        "tuple",
        "mapping",
        "optional",
        "union",
        "root",
        "model",
        "model",
        "typed_dict",
    )

    @property
    def _NESTED(self) -> list[Callable[[int], Any]]:  # noqa: N802 - beside _LEAVES
        return [
            *(getattr(self, f"_{name}") for name in self._NESTED_NAMES),
            self._dataclass,
            self._tagged,
            self._model,
        ]
