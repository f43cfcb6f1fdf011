# SPDX-License-Identifier: Apache-2.0
"""Names of a schema that mean something else in C: macros, functions, types and tags of the usual headers."""

import platform
import re
import subprocess

import pytest
from harness import FTL, HERE

INCLUDE = HERE.parents[1] / "include"
ISO = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype""".split()
POSIX = """aio arpa/inet cpio dirent dlfcn fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen monetary mqueue net/if netdb
netinet/in netinet/tcp nl_types poll pthread pwd regex sched search semaphore spawn strings sys/ipc sys/mman sys/msg
sys/resource sys/select sys/sem sys/shm sys/socket sys/stat sys/statvfs sys/time sys/times sys/types sys/uio sys/un
sys/utsname sys/wait syslog tar termios ulimit unistd utime utmpx wordexp""".split()
HEADERS = "".join(f"#include <{name}.h>\n" for name in [*ISO, *POSIX])
FTL_HEADERS = "#include <ftl/module.h>\n#include <ftl/typed.h>\n"
ABOUT = """
module = "{0}"
language = "c"
generate = "c"
build = "true"
deploy = ["{0}.so"]
"""


def macros(*flags):
    """Macros without arguments of the headers of C, POSIX and FTL, and of the compiler."""
    command = ["cc", "-std=gnu11", *flags, f"-I{INCLUDE}", "-dM", "-E", "-"]
    defined = subprocess.run(command, input=HEADERS + FTL_HEADERS, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^#define (\w+)(?: .*)?$", defined, re.MULTILINE))


def generate(folder, module, text):
    place = folder / module
    place.mkdir()
    (place / "ftl.toml").write_text(ABOUT.format(module))
    (place / f"{module}.ftl").write_text(text)
    subprocess.run([FTL, "generate", place], check=True, cwd=folder, capture_output=True)
    return place


def compile_both(place, module, code, *flags):
    """Compiles the generated source, and the author's, which includes all headers before that of the module."""
    (place / f"{module}.c").write_text(f'{HEADERS}#include "{module}.ftl.h"\n{code}')
    for source in (f"{module}.ftl.c", f"{module}.c"):
        command = ["cc", "-c", "-Wall", "-Werror", *flags, f"-I{INCLUDE}", "-o", "out.o", source]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flags", [[], ["-D_GNU_SOURCE"]], ids=["as it comes", "_GNU_SOURCE"])
def test_a_field_or_variant_may_have_the_name_of_any_macro(tmp_path, flags):
    known = ("glibc", "2.36")
    if platform.libc_ver() != known:
        pytest.skip(f"the list of names was made for {' '.join(known)}, and this is {' '.join(platform.libc_ver())}")
    names = sorted(macros(*flags) | {"__LINE__", "__FILE__"})
    assert len(names) > 3000
    assert {"NAN", "BUFSIZ", "INT64_MAX", "EINTR", "INADDR_ANY", "__LINE__", "FTL_MODULE_VERSION", "linux", "and"} <= {*names}
    parts = [names[at : at + 2000] for at in range(0, len(names), 2000)]
    text = "module m {\n"
    for number, part in enumerate(parts):
        text += f"  export data D{number} {{ {' '.join(f'{name} Int' for name in part)} }}\n"
        text += f"  export enum S{number} {{ {' '.join(f'{name} Int' for name in part)} }}\n"
        text += f"  export verb d{number}(D{number}) S{number}\n"
    place = generate(tmp_path, "m", text + "}\n")
    code = """
int m_d0(struct ftl_context *ftl, const struct m_D0 *request, struct m_S0 *response) {
	(void)ftl;
	response->kind = m_S0_BUFSIZ;
	response->BUFSIZ_ = request->BUFSIZ_;
	return 0;
}
"""
    compile_both(place, "m", code, *flags)


def test_keywords_of_cpp_are_no_members(tmp_path):
    words = "class template namespace co_await requires char8_t xor decltype explicit mutable typeid noexcept".split()
    place = generate(tmp_path, "m", f"module m {{ export data D {{ {' '.join(f'{word} Int' for word in words)} }} }}\n")
    (place / "m.cpp").write_text('#include "m.ftl.h"\nint64_t f(const m_D *d) { return d->class_ + d->xor_; }\n')
    for standard in ("c++11", "c++20"):
        command = ["c++", f"-std={standard}", "-fsyntax-only", f"-I{INCLUDE}", "m.cpp"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "declarations", "code"),
    [
        ("pthread", "export verb create(Unit) Unit", "int pthread_create_(struct ftl_context *ftl) { return ftl == NULL; }"),
        ("clock", "export verb gettime(Unit) Time", "int clock_gettime_(struct ftl_context *f, struct ftl_time *r) { return f == NULL && r; }"),
        ("time", "export typealias t Int export verb v(t) Unit", "int time_v(struct ftl_context *f, time_t_ r) { return f && r; }"),
        ("in", "export data addr { a Int } export verb v(addr) Unit", "int in_v(struct ftl_context *f, const struct in_addr_ *r) { return f && r->a; }"),
        ("sem", "+start\n export verb v(Unit) Unit", "int sem_start(struct ftl_context *f) { return !f; } int sem_v(struct ftl_context *f) { return !f; }"),
        ("INT64", "export data MAX { a Int }", "int64_t f(struct INT64_MAX_ *m) { return m->a; }"),
        (
            "PTHREAD",
            'export enum MUTEX: String { INITIALIZER = "x" }',
            "int f(enum PTHREAD_MUTEX m) { return m == PTHREAD_MUTEX_INITIALIZER_; }",
        ),
    ],
)
def test_functions_and_types_do_not_clash_with_those_of_the_system(tmp_path, module, declarations, code):
    place = generate(tmp_path, module, f"module {module} {{\n {declarations}\n}}\n")
    compile_both(place, module, code)
