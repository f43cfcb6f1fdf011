# SPDX-License-Identifier: Apache-2.0
"""Writes the schema of a module from its types and verbs."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from types import ModuleType
from typing import Any

from ftl._annotations import reachable
from ftl._declared import Alias, Data, Declared, Enum, Sum, is_variant
from ftl._verbs import Verb, generated_name

INDENT = "  "
# `type X = …`, new in Python 3.12.
TypeAlias: Any = getattr(ast, "TypeAlias", ())
Function = ast.FunctionDef | ast.AsyncFunctionDef


def schema_text(module: str, program: ModuleType, verbs: Mapping[str, Verb]) -> str:
    """The schema text of `module`, whose verbs are defined in `program`."""
    exported = {declared.identity for declared in types_of(verb for verb in verbs.values() if verb.marked.export)}
    called = calls_in(program)
    lines = [*comment(program.__doc__, ""), f"module {module} {{"]
    for number, declared in enumerate(types_of(verbs.values())):
        lines += [""] * (number > 0) + list(declaration(module, declared, declared.identity in exported))
    for number, verb in enumerate(verbs.values()):
        found = called.get(verb.marked.function.__name__, set())
        lines += [""] * (number > 0 or len(lines) > 1) + list(verb_lines(module, verb, found))
    return "\n".join([*lines, "}", ""])


def types_of(verbs: Iterable[Verb]) -> list[Declared]:
    return reachable(part for verb in verbs for part in (verb.request, verb.response))


def declaration(module: str, declared: Declared, export: bool) -> Iterator[str]:
    yield from comment(doc_of(declared), INDENT)
    start = INDENT + ("export " if export else "")
    if isinstance(declared, Alias):
        yield f"{start}typealias {declared.label} {declared.target.name(module)}"
        return
    head, lines = f"data {declared.label}", list(body_lines(module, declared))
    if isinstance(declared, Data) and declared.params:
        head += f"<{', '.join(param.__name__ for param in declared.params)}>"
    elif isinstance(declared, Enum):
        head = f"enum {declared.label}: {declared.value_type.name(module)}"
    elif isinstance(declared, Sum):
        head = f"enum {declared.label}"
    yield f"{start}{head} {{" + ("" if lines else "}")
    yield from (f"{INDENT * 2}{line}".rstrip() for line in lines)
    if lines:
        yield INDENT + "}"


def body_lines(module: str, declared: Declared) -> Iterator[str]:
    match declared:
        case Data():
            texts = texts_in(declared.python)
            for field in declared.fields.values():
                yield from comment(field.comment or texts.get(field.attribute), "")
                yield f"{field.name} {field.type.name(module)}"
        case Enum():
            texts = texts_in(declared.python)
            for member in declared.python:
                yield from comment(texts.get(member.name), "")
                yield f"{member.name} = {json.dumps(member.value, ensure_ascii=False)}"
        case Sum():
            for name, member in declared.classes.items():
                if is_variant(member):
                    yield from comment(own_doc(member), "")
                yield f"{name} {declared.variants[name].name(module)}"


def doc_of(declared: Declared) -> str | None:
    """The docstring of a class; for an alias or a union the string below its assignment."""
    if isinstance(declared, Data | Enum):
        return own_doc(declared.python)
    for module in declared.modules:
        text = texts_in(sys.modules.get(module)).get(declared.label)
        if text:
            return text
    return None


def own_doc(python: type) -> str | None:
    doc = vars(python).get("__doc__") or ""
    # @dataclass generates a docstring, and so did Enum before 3.13.
    made_up = doc.startswith(f"{python.__name__}(") or doc == "An enumeration."
    return None if made_up else doc


def texts_in(holder: type | ModuleType | None) -> dict[str, str]:
    """The strings below assignments in a class or a module, by the name of the variable."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(holder)))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):  # the source is not available
        return {}
    body = tree.body[0].body if isinstance(holder, type) and isinstance(tree.body[0], ast.ClassDef) else tree.body
    texts = {}
    for assignment, text in pairwise(body):
        named = assignment.name if isinstance(assignment, TypeAlias) else assignment
        match named, text:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) | ast.Name(id=name),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                texts[name] = said
    return texts


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
    """The verbs that each function of a program calls, itself or through other functions of the program."""
    tree = ast.parse(inspect.getsource(program))
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    direct = {name: set(verbs_named(node)) | set(stubs_named(node, program)) for name, node in functions.items()}
    uses = {name: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} for name, node in functions.items()}
    return {name: set().union(*(direct[used] for used in closure(name, uses))) for name in functions}


def verbs_named(function: Function) -> Iterator[str]:
    """The verbs in ftl.call("module.verb", …), and in asyncio.to_thread(ftl.call, "module.verb", …)."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        for pair in pairwise([node.func, *node.args]):
            match pair:
                case (
                    ast.Attribute(value=ast.Name(id="ftl"), attr="call") | ast.Name(id="call"),
                    ast.Constant(value=str(name)),
                ):
                    yield name


def stubs_named(function: Function, program: ModuleType) -> Iterator[str]:
    """
    The verbs whose generated functions a function names: cart.total, or total imported from cart. A name without a
    call counts, as the function may be passed to a thread.
    """
    for node in ast.walk(function):
        match node:
            case ast.Attribute(value=ast.Name(id=stubs), attr=name):
                named = getattr(getattr(program, stubs, None), name, None)
            case ast.Name(id=imported):
                named = getattr(program, imported, None)
            case _:
                continue
        verb = generated_name(named)
        if verb:
            yield verb


def closure(start: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in uses and name not in seen:
            seen.add(name)
            waiting.extend(uses[name])
    return seen
