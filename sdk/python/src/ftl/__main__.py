# SPDX-License-Identifier: Apache-2.0
"""python3 -m ftl schema FILE: prints the schema of the module whose program is FILE."""

import argparse
import contextlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from ftl._errors import Error


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m ftl")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    schema = commands.add_parser("schema", help="print a module's schema")
    schema.add_argument("file", type=Path, help="the module's program")
    schema.add_argument("-o", "--output", type=Path, help="write it here, and only when it changes")
    schema.add_argument("--module", default=os.environ.get("FTL_MODULE"), help="default: FTL_MODULE, or FILE's name")
    arguments = parser.parse_args()
    try:
        text = schema_of(arguments.file, arguments.module or arguments.file.stem)
    except Error as error:
        sys.exit(f"{arguments.file}: {error}")
    try:
        if arguments.output is not None:
            replace(arguments.output, text)
        elif sys.stdout is not None:
            print(text, end="", flush=True)
        else:
            raise OSError("standard output is closed; -o writes it into a file")
    except OSError as error:
        sys.exit(f"{arguments.file}: the schema could not be written: {error}")


def schema_of(file: Path, module: str) -> str:
    from ftl._schema import schema_text
    from ftl._verbs import all_verbs, reading

    # Output of the program goes to stderr, so that stdout has only the schema.
    with contextlib.redirect_stdout(sys.stderr), reading():
        program = load(file)
    return schema_text(module, program, all_verbs())


def load(file: Path) -> ModuleType:
    """Imports a program by its path; like `python3 FILE`, it finds the modules beside the program."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise Error("no such Python file")
    sys.path.insert(0, str(file.resolve().parent))
    program = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = program
    spec.loader.exec_module(program)
    return program


def replace(output: Path, text: str) -> None:
    """Replaces a file atomically. A file with the same text stays untouched, so that no build runs again for it."""
    if output.is_file() and output.read_text() == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=output.parent, prefix=f".{output.name}.", delete=False) as aside:
        aside.write(text)
    os.chmod(aside.name, 0o644)
    os.replace(aside.name, output)


if __name__ == "__main__":
    main()
