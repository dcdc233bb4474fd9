"""Values with named fields, like the standard library's dataclasses, but quick to define. Knows nothing of their use.

A small command takes a tenth of a second, and `dataclasses` would need half of it to write methods that are never
called. Here a constructor is written when it is called first, and classes share the other methods. To a type
checker, and to `dataclasses.replace` and its like, these are dataclasses.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

__all__ = ["dataclass", "field", "replace"]

_MISSING: Any = type("MISSING", (), {"__slots__": ()})()


class _Field(NamedTuple):
    """How one field is filled where the caller says nothing, and whether it is shown."""

    default: Any = _MISSING
    default_factory: Any = _MISSING
    repr: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """What was said about it."""
        return {name: value for name, value in self._asdict().items() if value is not _MISSING}


def _decorator(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
    """As `dataclasses.dataclass`: `frozen` forbids changes, `slots` saves the dict, `eq` compares by content."""
    return lambda cls: _noun(cls, frozen, slots, eq)


def _noun(cls: type, frozen: bool, slots: bool, eq: bool) -> type:
    own = {
        name: _field_of(cls, name)
        for name, kind in cls.__dict__.get("__annotations__", {}).items()  # noqa: RUF063  # needs `inspect`
        if not str(kind).startswith("ClassVar")
    }
    fields = {**getattr(cls, "_fields_", {}), **own}
    values = operator.attrgetter(*fields) if fields else lambda _: ()
    shared: dict[str, Any] = {
        "__repr__": _repr,
        **(_COMPARED[frozen] if eq else {}),
        **(_FROZEN if frozen else {}),
    }
    defined = {name: method for name, method in shared.items() if name not in cls.__dict__}
    defined |= {"_fields_": fields, "_values_": values, "__match_args__": tuple(fields)}
    defined |= {"__init__": _first_call(frozen, slots), "__dataclass_fields__": _Described()}
    if not slots:
        for name, value in defined.items():
            setattr(cls, name, value)
        return cls
    kept = {name: value for name, value in cls.__dict__.items() if name not in own}
    for name in ("__dict__", "__weakref__"):
        kept.pop(name, None)
    made = type(cls)(cls.__name__, cls.__bases__, {**kept, **defined, "__slots__": tuple(own)})
    made.__qualname__ = cls.__qualname__
    return made


def _field_of(cls: type, name: str) -> _Field:
    said = cls.__dict__.get(name, _MISSING)
    if not isinstance(said, _Field):
        return _Field(said)
    if said.default is _MISSING:
        delattr(cls, name)
    else:
        setattr(cls, name, said.default)
    return said


# -- the constructor -----------------------------------------------------------------------------------


def _first_call(frozen: bool, slots: bool) -> Callable[..., None]:
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        cls = next(one for one in type(self).__mro__ if one.__dict__.get("__init__") is construct)
        init = _constructor(cls, frozen, slots)
        cls.__init__ = init  # type: ignore[misc]  # this is what it is about
        init(self, *args, **kwargs)

    return construct


def _constructor(cls: Any, frozen: bool, slots: bool) -> Callable[..., None]:
    known: dict[str, Any] = {"_MISSING": _MISSING, "_set": object.__setattr__}
    params, lines = ["self"], []
    for name, one in cls._fields_.items():
        value = name
        if one.default_factory is not _MISSING:
            known[f"_make_{name}"] = one.default_factory
            params.append(f"{name}=_MISSING")
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        elif one.default is not _MISSING:
            known[f"_default_{name}"] = one.default
            params.append(f"{name}=_default_{name}")
        else:
            params.append(name)
        if frozen and slots:  # the quickest way round `__setattr__`
            known[f"_set_{name}"] = getattr(cls, name).__set__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    exec(f"def __init__({', '.join(params)}):\n " + "\n ".join(lines or ["pass"]), known)  # noqa: S102  # names of our own
    init: Callable[..., None] = known["__init__"]
    return init


# -- what all share ------------------------------------------------------------------------------------


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, one in self._fields_.items() if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._values_(self) == self._values_(other)


def _hash(self: Any) -> int:
    return hash((self._values_(self),))


def _refuse(self: Any, name: str, *_: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change {name!r} of a {type(self).__qualname__}")


def _state(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self._fields_)


def _set_state(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self._fields_, state, strict=True):
        object.__setattr__(self, name, value)


_COMPARED: dict[bool, dict[str, Any]] = {
    True: {"__eq__": _eq, "__hash__": _hash},
    False: {"__eq__": _eq, "__hash__": None},
}
_FROZEN: dict[str, Any] = {
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _state,
    "__setstate__": _set_state,
}


class _Described:
    """The fields in the terms of `dataclasses`, once somebody asks."""

    def __get__(self, noun: object, cls: Any) -> dict[str, Any]:
        import dataclasses

        listed = [(name, Any, dataclasses.field(**one.options)) for name, one in cls._fields_.items()]
        twin: Any = dataclasses.make_dataclass(cls.__name__, listed)
        described: dict[str, Any] = twin.__dataclass_fields__
        cls.__dataclass_fields__ = described
        return described


def _replace(noun: Any, /, **changes: Any) -> Any:
    """A copy of `noun` with these fields changed."""
    return type(noun)(**{name: getattr(noun, name) for name in noun._fields_} | changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _decorator, _Field, _replace
