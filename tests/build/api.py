"""The public functions of libkymo, as the headers declare them.

    api.py map ROOT       prints the linker's version script, which core/src/libkymo.map must equal
    api.py program ROOT   prints a C program that uses every public function
"""

import glob
import os
import re
import sys

FUNCTION = re.compile(r"^(KYMO_EXPORT|KYMO_INLINE|static inline) [^;{(]*?\b(kymo_\w+)\(", re.M)
MAP = """/*
 * libkymo.map - the exported symbols: the API, each inline body of it as a symbol for bindings, and
 * the functions that inline bodies call in programs. Printed by tests/build/api.py.
 */
KYMO_{version} {{
global:
    /* the API */
{public}
    /* called by inline bodies */
{called}
local:
    *;
}};
"""
PROGRAM = """/* Uses every public function, and includes no header of kymo/impl. */
#include <kymo/kymo.h>

#include <stdio.h>

struct sample {{
    double value;
}};
KYMO_RING_TYPE(sample, struct sample);
KYMO_KEY_POLICY(policy);

typedef void function(void);

static function *const functions[] = {{
{functions}
}};

int main(void)
{{
    size_t count = sizeof(functions) / sizeof(functions[0]);

    for (size_t i = 0; i < count; i++)
        if (!functions[i])
            return 1;
    printf("count: functions in one program without kymo/impl: %zu\\n", count);
    return 0;
}}
"""


def declared(folder):
    """name -> linkage, for the headers of one folder."""
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.h"))):
        with open(path, encoding="utf-8") as file:
            for linkage, name in FUNCTION.findall(file.read()):
                found.setdefault(name, linkage)
    return found


def public(root):
    return declared(os.path.join(root, "core/include/kymo"))


def exported(root):
    """The API and the functions that its inline bodies call, both sorted."""
    api = [name for name, linkage in public(root).items() if linkage != "static inline"]
    helpers = declared(os.path.join(root, "core/include/kymo/impl"))
    called = [name for name, linkage in helpers.items() if linkage == "KYMO_EXPORT"]
    return sorted(api), sorted(called)


def version(root):
    """The version that carries the ABI: major.minor while the major is 0."""
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"\bVERSION (\d+\.\d+)\.\d+", file.read()).group(1)


def version_script(root):
    lines = ["\n".join(f"    {name};" for name in names) for names in exported(root)]
    return MAP.format(version=version(root), public=lines[0], called=lines[1])


def program(root):
    names = sorted(public(root))
    return PROGRAM.format(functions="\n".join(f"    (function *){name}," for name in names))


if __name__ == "__main__":
    sys.stdout.write({"map": version_script, "program": program}[sys.argv[1]](sys.argv[2]))
