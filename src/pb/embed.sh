#!/bin/sh
# Puts a file into a program: embed.sh NAME FILE OUTPUT.c OUTPUT.h makes `const struct str NAME`.
set -eu
{
    echo '#include "'"$(basename "$4")"'"'
    echo 'static const unsigned char bytes[] = {'
    od -An -v -tx1 "$2" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
    echo "const struct str $1 = {(const char *)bytes, sizeof bytes};"
} >"$3"
printf '#pragma once\n#include "base/str.h"\nextern const struct str %s;\n' "$1" >"$4"
