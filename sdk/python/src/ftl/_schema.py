# SPDX-License-Identifier: Apache-2.0
"""A module's schema, written from its dataclasses and verbs."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

from ftl._types import Data, Enum, Field, reachable
from ftl._verbs import Verb

INDENT = "  "


def schema_text(module: str, program: ModuleType, verbs: Mapping[str, Verb]) -> str:
    """The schema of `module`, whose verbs `program` defines."""
    exported = set(types_of(verb for verb in verbs.values() if verb.marked.export))
    called = calls_in(program)
    lines = [*comment(program.__doc__, ""), f"module {module} {{"]
    for number, data in enumerate(types_of(verbs.values())):
        lines += [""] * (number > 0) + list(declaration(module, data, data in exported))
    for verb in verbs.values():
        lines += ["", *verb_lines(module, verb, called.get(verb.name, set()))]
    return "\n".join([*lines, "}", ""])


def types_of(verbs: Iterable[Verb]) -> list[Data | Enum]:
    return reachable(part for verb in verbs for part in (verb.request, verb.response))


def declaration(module: str, declared: Data | Enum, export: bool) -> Iterator[str]:
    python = declared.python
    doc = python.__doc__ or ""
    if not doc.startswith(f"{python.__name__}("):  # what @dataclass makes up
        yield from comment(doc, INDENT)
    start = INDENT + ("export " if export else "")
    if isinstance(declared, Data):
        if not declared.fields:
            yield f"{start}data {python.__name__} {{}}"
            return
        yield f"{start}data {python.__name__} {{"
        for field in declared.fields.values():
            yield from field_lines(module, field)
    else:
        yield f"{start}enum {python.__name__}: {declared.base.name(module)} {{"
        for member in declared.python:
            yield f"{INDENT * 2}{member.name} = {json.dumps(member.value, ensure_ascii=False)}"
    yield INDENT + "}"


def field_lines(module: str, field: Field) -> Iterator[str]:
    yield from comment(field.comment, INDENT * 2)
    yield f"{INDENT * 2}{field.name} {field.type.name(module)}"


def verb_lines(module: str, verb: Verb, found: set[str]) -> Iterator[str]:
    yield from comment(verb.marked.function.__doc__, INDENT)
    export = "export " if verb.marked.export else ""
    yield f"{INDENT}{export}verb {verb.name}({verb.request.name(module)}) {verb.response.name(module)}"
    calls = sorted({*verb.marked.calls, *found})
    if calls:
        yield f"{INDENT * 3}+calls {', '.join(calls)}"


def comment(text: str | None, indent: str) -> Iterator[str]:
    if text:
        for line in inspect.cleandoc(text).splitlines():
            yield f"{indent}// {line}".rstrip()


def calls_in(program: ModuleType) -> dict[str, set[str]]:
    """What each function of a program calls by ftl.call("module.verb", …), itself or by way of its other functions."""
    tree = ast.parse(inspect.getsource(program))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    direct = {name: set(verbs_named(node)) | set(stubs_named(node, program)) for name, node in functions.items()}
    uses = {name: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} for name, node in functions.items()}
    return {name: set().union(*(direct[used] for used in closure(name, uses))) for name in functions}


def verbs_named(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="ftl"), attr="call") | ast.Name(id="call"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def stubs_named(function: ast.FunctionDef, program: ModuleType) -> Iterator[str]:
    """What it calls of modules that `ftl generate` wrote: cart.total(…), or total(…) that was imported from there."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=stubs), attr=name)):
                module = getattr(getattr(program, stubs, None), "FTL_MODULE", None)
            case ast.Call(func=ast.Name(id=imported)):
                called = getattr(program, imported, None)
                name = getattr(called, "__name__", "")
                module = getattr(called, "__globals__", {}).get("FTL_MODULE")
            case _:
                continue
        # Not the types that are defined there.
        if module and inspect.isfunction(getattr(sys.modules.get(f"ftl_modules.{module}"), name, None)):
            yield f"{module}.{name}"


def closure(start: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in uses and name not in seen:
            seen.add(name)
            waiting.extend(uses[name])
    return seen
