# SPDX-License-Identifier: Apache-2.0
"""README.md, CONTRIBUTING.md and docs name files, links and options; each exists. ARCHITECTURE.md has its own test."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("src/", "sdk/", "tests/", "script/", "bench/", "include/", "proto/", "docs/", "examples/")
PROGRAMS = ("src/cli", "script", "bench", "tests/sim", "tests/soak")


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request):
    return request.param


def prose(page):
    """Its text without blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_every_path_exists(page):
    paths = [name.split()[0] for name in re.findall(r"`([^`]+)`", prose(page)) if name.startswith(FOLDERS)]
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_file(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_option_exists(page):
    found = [path for folder in PROGRAMS for path in (ROOT / folder).rglob("*")]
    known = "\n".join(path.read_text() for path in found if path.is_file() and path.suffix != ".pyc")
    options = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", prose(page)))
    assert [name for name in options if f'"{name}"' not in known and f"--{name}" not in known] == []


def test_the_layers_of_rpc_are_files():
    table = (ROOT / "docs" / "rpc.md").read_text().split("| layer |")[1].split("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", row.split("|")[2]) for row in table.splitlines()[2:]]
    assert len(rows) > 7
    for names in rows:
        folder = names[0].split("/")[0]
        for name in names:
            assert list((ROOT / "src" / folder).glob(f"{name.split('/')[-1]}.[ch]")), f"{folder}/{name}"


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "script").iterdir() if path.is_file()))
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_every_script_explains_itself(script, word, tmp_path):
    """At once: nothing is installed or built, as no program that could is within reach."""
    for name in ("sed", "dirname", "date", "python3", "env", "ls"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = subprocess.run([ROOT / "script" / script, word], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"script/{script}" in done.stdout or "usage:" in done.stdout


def test_the_contract_names_packages_for_go_and_java(tmp_path):
    """protoc itself has the generator for Java; that for Go is a plugin, which reads the option."""
    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    assert len(files) == 2
    (tmp_path / "java").mkdir()
    command = ["protoc", f"-I{PROTO}", f"--java_out={tmp_path / 'java'}", f"--descriptor_set_out={tmp_path / 'set'}", *files]
    subprocess.run(command, check=True)
    for name in ("CallRequest", "schema/VerbRef"):
        source = (tmp_path / "java" / "xyz/block/ftl/v1" / f"{name}.java").read_text()
        assert f"package {'.'.join(['xyz.block.ftl.v1', *name.split('/')[:-1]])};" in source
    found = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes())
    assert {file.name: file.options.go_package for file in found.file} == {
        "xyz/block/ftl/v1/ftl.proto": "ftl.block.xyz/v1;ftlv1",
        "xyz/block/ftl/v1/schema/schema.proto": "ftl.block.xyz/v1/schema;schema",
    }


@pytest.mark.parametrize(("arguments", "targets"), [([], "ftl sdk/c/libftl-module.a"), (["--all"], "all")])
def test_a_build_builds_what_is_needed_and_shows_that_it_goes_on(tmp_path, arguments, targets):
    """With stubs in place of the programs that take minutes."""
    (tmp_path / "script").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "build.ninja").touch()
    shutil.copy(ROOT / "script" / "build", tmp_path / "script")
    for name, text in (("script/install", ""), ("ninja", "echo [1/2] $*\n")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [tmp_path / "script" / "build", *arguments]
    quiet = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert (tmp_path / "build" / "last-build.log").read_text() == f"[1/2] -C build {targets}\n"
    own, theirs = os.openpty()
    subprocess.run(command, env=environment, stderr=theirs, check=True)
    assert os.read(own, 1000).decode() == f"[1/2] -C build {targets}\r\n"
    os.close(own)
    os.close(theirs)


def test_what_users_need_is_a_part_of_all(build):
    """No test, no suite and no bench is compiled for them."""
    needed = subprocess.run(["ninja", "-C", build, "-t", "commands", "ftl", "sdk/c/libftl-module.a"], capture_output=True, text=True,
                            check=True).stdout.splitlines()
    objects = [line.rsplit(" -o ", 1)[1].split()[0] for line in needed if " -c " in line]
    assert 100 < len(objects) < 400
    assert [name for name in objects if name.startswith(("tests/", "bench/"))] == []


@pytest.fixture
def build():
    folder = Path(os.environ["FTL_BUILD"])
    if not (folder / "build.ninja").exists() or shutil.which("ninja") is None:
        pytest.skip("this FTL was not built here")
    return folder
