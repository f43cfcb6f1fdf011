# SPDX-License-Identifier: Apache-2.0
"""Generates the Python modules of the wire contract when the package is built: ../../proto holds the only copy."""

from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ["xyz/block/ftl/v1/ftl.proto", "xyz/block/ftl/v1/schema/schema.proto"]


class ProtoHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root).parent.parent / "proto"
        output = Path(self.root) / "build" / "proto"
        generate(source, output)
        if version != "editable":
            build_data["force_include"][str(output / "xyz")] = "xyz"


def generate(source: Path, output: Path) -> None:
    if not (source / FILES[0]).is_file():
        raise SystemExit(f"{source / FILES[0]} is missing: build the package inside a clone of FTL")
    output.mkdir(parents=True, exist_ok=True)
    well_known = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{source}", f"-I{well_known}", f"--python_out={output}", f"--pyi_out={output}", *FILES]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    (output / "xyz" / "block" / "ftl" / "py.typed").touch()
