#!/bin/bash
# Runs a program of unit tests: tap.sh PROGRAM. Of a test that is skipped, as one that may not mount here, cmocka 1.1 says
# "not ok 5 # SKIP name", which in TAP is a test that failed; this says "ok 5 - name # SKIP".
set -o pipefail
"$@" | sed -u 's/^not ok \([0-9]*\) # SKIP \(.*\)/ok \1 - \2 # SKIP it cannot be shown here/'
