#!/bin/sh
# Makes one archive of several archives. It contains one object, of which only main is visible:
#   one-object.sh OUTPUT FOLDER yes|no COMPILER... -- ARCHIVE...
# yes: keep the debug information, which makes every module that links with the archive four times as large.
set -eu
output=$1
folder=$2
keep_debug=$3
shift 3
compiler=
while [ "$1" != -- ]; do
    compiler="$compiler $1"
    shift
done
shift
mkdir -p "$folder"
object=$folder/ftl-module.o
$compiler -r -nostdlib -Wl,--whole-archive "$@" -Wl,--no-whole-archive -o "$object"
objcopy --localize-hidden "$object"
[ "$keep_debug" = yes ] || objcopy --strip-debug "$object"
rm -f "$output"
ar rcsD "$output" "$object"
