# SPDX-License-Identifier: Apache-2.0
"""The types that a module declares: dataclasses, enums of values, enums of types, aliases."""

from __future__ import annotations

import dataclasses
import enum
import sys
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, ClassVar

from ftl._json import (
    INVALID_VALUE,
    MISSING_FIELD,
    UNKNOWN_FIELD,
    UNKNOWN_VARIANT,
    Mismatch,
    field_step,
    kind,
    quoted,
    single,
)
from ftl._nearest import near
from ftl._types import Optional, Type, UnusableTypeError

# The function that turns an annotation into a type: _annotations.type_of, which this file cannot import.
Resolve = Callable[[Any], Type]


class Variant:
    """
    Base class for a variant of an enum of types whose value is no dataclass, or whose name differs from the class.
    The subclass is a dataclass with one field, `value`.
    """

    ftl_name: ClassVar[str]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        super().__init_subclass__()
        cls.ftl_name = name or cls.__name__


@dataclasses.dataclass(frozen=True)
class Name:
    """Annotated[T, Name("class")]: the name of a field in the schema."""

    name: str


class Declared(Type):
    """A type with a name in the schema; `python` is its counterpart in the program."""

    python: Any
    label: str
    # "module.Name" for a type of another module; None: declared here.
    home: str | None
    # Names of the Python modules in which the declaration may stand.
    modules: list[str]

    def name(self, module: str) -> str:
        return self.home or f"{module}.{self.label}"

    @property
    def declaration(self) -> Declared:
        """The declared type, with type parameters in place of arguments."""
        return self

    @property
    def identity(self) -> Any:
        """Equal for all types that share a declaration."""
        return self.python

    @abstractmethod
    def declared_parts(self) -> Iterator[Type]:
        """The types in the declaration."""


def home_of(python: Any) -> str | None:
    """The name of a type of another module, from FTL_TYPES of its generated code; None: it is declared here."""
    generated: dict[str, Any] = getattr(sys.modules.get(python.__module__), "FTL_TYPES", {})
    return next((name for name, known in generated.items() if known is python), None)


class Param(Type):
    """A type parameter in a declaration. It has no values."""

    def __init__(self, variable: typing.TypeVar) -> None:
        self.variable = variable

    def name(self, module: str) -> str:
        return self.variable.__name__

    def decode(self, value: Any) -> Any:
        raise AssertionError(self.variable)

    def encode(self, value: Any) -> Any:
        raise AssertionError(self.variable)


class Alias(Declared):
    """A NewType, or a `type X = …`."""

    def __init__(self, python: Any, target: Any, resolve: Resolve) -> None:
        self.python = python
        self.label = python.__name__
        self.modules = [python.__module__]
        self.home = home_of(python)
        self._target = target
        self._resolve = resolve

    @cached_property
    def target(self) -> Type:
        try:
            return self._resolve(self._target)
        except UnusableTypeError as error:
            raise UnusableTypeError(f"{self.label}: {error}") from None

    def base(self) -> Type:
        return self.target.base()

    def decode(self, value: Any) -> Any:
        return self.target.decode(value)

    def encode(self, value: Any) -> Any:
        return self.target.encode(value)

    def declared_parts(self) -> Iterator[Type]:
        yield self.target


class Enum(Declared):
    """An enum of strings or of integers. In JSON it is the value of the member."""

    def __init__(self, python: type[enum.Enum], resolve: Resolve) -> None:
        self.python = python
        self.label = python.__name__
        self.home = home_of(python)
        kinds = {type(member.value) for member in python}
        if kinds not in ({str}, {int}):
            raise UnusableTypeError(f"{python.__qualname__}: the values of an enum are all str or all int")
        self.value_type = resolve(kinds.pop())
        self.members = {member.value: member for member in python}

    def decode(self, value: Any) -> Any:
        member = self.members.get(self.value_type.decode(value))
        if member is None:
            known = near(str(value), map(str, self.members))
            raise Mismatch(f"{quoted(value)} is not a {self.label}; {known}", code=UNKNOWN_VARIANT)
        return member

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self.python):
            raise Mismatch(f"expected {self.label}, got {type(value).__name__}")
        return self.value_type.encode(value.value)

    def declared_parts(self) -> Iterator[Type]:
        yield self.value_type


@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    attribute: str
    type: Type
    comment: str
    # May be missing or null in JSON; the dataclass's default applies then, or None if it has no default.
    optional: bool
    defaulted: bool


class Data(Declared):
    """A dataclass. An unknown field is refused in strict mode, and ignored otherwise."""

    def __init__(self, python: type, arguments: tuple[Any, ...], resolve: Resolve, strict: bool) -> None:
        self.python = python
        self.label = python.__name__
        self.home = home_of(python)
        self.params: tuple[typing.TypeVar, ...] = getattr(python, "__parameters__", ())
        if len(arguments) != len(self.params):
            shown = ", ".join(str(param.__name__) for param in self.params)
            raise UnusableTypeError(f"{self.label} is generic: write {self.label}[…] with a type for each of {shown}")
        self._annotations = arguments
        self.arguments = tuple(map(resolve, arguments))
        self._resolve = resolve
        self._strict = strict

    def name(self, module: str) -> str:
        arguments = ", ".join(argument.name(module) for argument in self.arguments)
        return super().name(module) + (f"<{arguments}>" if arguments else "")

    @property
    def declaration(self) -> Data:
        if not self.params:
            return self
        generic: Any = self.python
        declared = self._resolve(generic[self.params])
        assert isinstance(declared, Data)
        return declared

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The fields by their names in the schema. Resolved late, as a dataclass may contain itself."""
        hints = hints_of(self.python)
        fields = [self._field(f, hints[f.name]) for f in dataclasses.fields(self.python) if f.init]
        result = {field.name: field for field in fields}
        if len(result) < len(fields):
            raise UnusableTypeError(f"{self.python.__qualname__}: two of its fields have one name in the schema")
        return result

    def _field(self, field: dataclasses.Field[Any], annotation: Any) -> Field:
        where = f"{self.python.__qualname__}.{field.name}"
        try:
            typed = self._resolve(self._substituted(annotation))
        except UnusableTypeError as error:
            raise UnusableTypeError(f"{where}: {error}") from None
        missing = dataclasses.MISSING
        defaulted = field.default is not missing or field.default_factory is not missing
        if defaulted and not isinstance(typed.base(), Optional):
            typed = Optional(typed)
        marks = getattr(annotation, "__metadata__", ())
        name = next((mark.name for mark in marks if isinstance(mark, Name)), field.name)
        comment = "\n".join(mark for mark in marks if isinstance(mark, str))
        return Field(name, field.name, typed, comment, isinstance(typed.base(), Optional), defaulted)

    def _substituted(self, annotation: Any) -> Any:
        values = dict(zip(self.params, self._annotations, strict=True))
        wanted = (annotation,) if isinstance(annotation, typing.TypeVar) else parameters(annotation)
        for variable in wanted:
            if variable not in values:
                raise UnusableTypeError(f"{variable} stands for nothing: {self.label} has no such type parameter")
        if isinstance(annotation, typing.TypeVar):
            return values[annotation]
        return annotation[tuple(values[variable] for variable in wanted)] if wanted else annotation

    def decode(self, value: Any) -> Any:
        value = single(value, self.label, field_step)
        if self._strict and not value.keys() <= self.fields.keys():
            unknown = next(name for name in value if name not in self.fields)
            raise Mismatch(f"unknown field {quoted(unknown)}; {near(unknown, self.fields)}", code=UNKNOWN_FIELD)
        arguments: dict[str, Any] = {}
        for name, field in self.fields.items():
            given = value.get(name)
            if given is None and field.optional:
                if not field.defaulted:
                    arguments[field.attribute] = None
                continue
            if name not in value:
                raise Mismatch("the field is missing", name, MISSING_FIELD)
            try:
                arguments[field.attribute] = field.type.decode(given)
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
        return made(self.python, arguments)

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self.python):
            raise Mismatch(f"expected {self.label}, got {type(value).__name__}")
        result = {}
        for name, field in self.fields.items():
            try:
                encoded = field.type.encode(getattr(value, field.attribute))
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
            if encoded is not None or not field.optional:
                result[name] = encoded
        return result

    def parts(self) -> Iterator[Type]:
        yield from self.arguments

    def declared_parts(self) -> Iterator[Type]:
        assert isinstance(self.declaration, Data)
        for field in self.declaration.fields.values():
            yield field.type


def made(python: type, arguments: dict[str, Any]) -> Any:
    try:
        return python(**arguments)
    except ValueError as error:  # from the module's own checks in __post_init__
        raise Mismatch(str(error), code=INVALID_VALUE) from error


class Sum(Declared):
    """An enum of types: a union of classes. Its JSON names the variant: {"name": …, "value": …}."""

    def __init__(
        self, label: str, members: tuple[Any, ...], modules: list[str], resolve: Resolve, strict: bool
    ) -> None:
        self.label = label
        self.python = frozenset(members)
        self.modules = modules
        self.home = self._home()
        self._strict = strict
        self._resolve = resolve
        self.classes = {variant_name(member): member for member in members}
        if len(self.classes) < len(members):
            raise UnusableTypeError(f"{label}: two of its variants have one name")

    def _home(self) -> str | None:
        for module in self.modules:
            for name, known in getattr(sys.modules.get(module), "FTL_TYPES", {}).items():
                if self.python == set(typing.get_args(known) or [known]):
                    return str(name)
        return None

    @cached_property
    def variants(self) -> dict[str, Type]:
        """The type of each variant's value."""
        return {name: self._variant(member) for name, member in self.classes.items()}

    def _variant(self, member: Any) -> Type:
        if not is_variant(member):
            return self._resolve(member)
        annotation = hints_of(member).get("value")
        if annotation is None or [f.name for f in dataclasses.fields(member)] != ["value"]:
            raise UnusableTypeError(f"{member.__qualname__}: an ftl.Variant has one field, value")
        try:
            return self._resolve(annotation)
        except UnusableTypeError as error:
            raise UnusableTypeError(f"{member.__qualname__}.value: {error}") from None

    def decode(self, value: Any) -> Any:
        value = single(value, f'{self.label}, {{"name": …, "value": …}}', field_step)
        if not value.keys() >= {"name", "value"}:
            missing = "value" if "name" in value else "name"
            raise Mismatch(f'expected {self.label}, but "{missing}" is missing', code=MISSING_FIELD)
        if self._strict and len(value) > 2:
            unknown = next(name for name in value if name not in ("name", "value"))
            raise Mismatch(
                f'unknown field {quoted(unknown)}; a {self.label} has "name" and "value"', code=UNKNOWN_FIELD
            )
        name = value["name"]
        if type(name) is not str:
            raise Mismatch(f"expected the name of a variant of {self.label}, got {kind(name)}", "name")
        if name not in self.variants:
            known = near(name, self.variants)
            raise Mismatch(f"{quoted(name)} is not a variant of {self.label}; {known}", "name", UNKNOWN_VARIANT)
        try:
            decoded = self.variants[name].decode(value["value"])
        except Mismatch as mismatch:
            raise mismatch.within("value") from None
        member = self.classes[name]
        return made(member, {"value": decoded}) if is_variant(member) else decoded

    def encode(self, value: Any) -> Any:
        for name, member in self.classes.items():
            if type(value) is (typing.get_origin(member) or member):
                try:
                    encoded = self.variants[name].encode(value.value if is_variant(member) else value)
                except Mismatch as mismatch:
                    raise mismatch.within("value") from None
                return {"name": name, "value": encoded}
        raise Mismatch(f"expected {self.label} ({', '.join(self.classes)}), got {type(value).__name__}")

    def declared_parts(self) -> Iterator[Type]:
        yield from self.variants.values()


def is_variant(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, Variant)


def variant_name(member: Any) -> str:
    return str(member.ftl_name if is_variant(member) else (typing.get_origin(member) or member).__name__)


def parameters(annotation: Any) -> tuple[Any, ...]:
    """The free type variables of an annotation; the parameters of a class itself are not free."""
    return () if isinstance(annotation, type) else getattr(annotation, "__parameters__", ())


def hints_of(annotated: Any) -> dict[str, Any]:
    """The annotations of a function or a class; annotations that are strings are resolved."""
    seen_modules.setdefault(annotated.__module__)
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise UnusableTypeError(
            f"{annotated.__qualname__}: {error}; its types are defined beside it, not inside a function"
        ) from None
    except (AttributeError, SyntaxError, TypeError) as error:
        # For example list[str] below a function with the name list.
        raise UnusableTypeError(f"{annotated.__qualname__}: its annotations cannot be read: {error}") from None


# Names of the modules that contain annotations, in order: the name of an enum of types is searched in them, among the
# variables to which unions are assigned.
seen_modules: dict[str, None] = {}
