#!/bin/sh
# Generates C for the wire contract: generate-c.sh SOURCE_DIR OUTPUT_DIR
#
# The C names would begin with Xyz__Block__Ftl__V1__. protobuf-c shortens them by a file option, but the
# option needs an import that no other language has, so it is added to a copy here and not to the contract.
set -eu
export LC_ALL=C # in Turkish [a-z] lacks the i
source=$1
output=$2
copy=$output/proto-with-c-names

shorten() { # FILE PREFIX
    mkdir -p "$copy/$(dirname "$1")"
    awk -v prefix="$2" '{ print } /^package / {
        print "import \"protobuf-c/protobuf-c.proto\";"
        print "option (pb_c_file).c_package = \"" prefix "\";"
    }' "$source/$1" >"$copy/$1"
}

shorten xyz/block/ftl/v1/ftl.proto ftl
shorten xyz/block/ftl/v1/schema/schema.proto schema
for file in google/protobuf/timestamp.proto xyz/block/ftl/v1/schema/schema.proto xyz/block/ftl/v1/ftl.proto; do
    protoc-c --c_out="$output" -I"$copy" -I/usr/include "$file"
    stem=$output/${file%.proto}.pb-c
    for suffix in c h; do
        mv "$stem.$suffix" "$output/$(basename "$stem").$suffix"
    done
done
# Generated files include each other by path; here they lie side by side.
sed -i -E 's|#include "[a-z0-9/]+/([a-z]+\.pb-c\.h)"|#include "\1"|' "$output"/*.pb-c.c "$output"/*.pb-c.h
