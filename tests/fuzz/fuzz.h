/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target takes any bytes and returns 0; it fails by ASSERT or by what the sanitizers find. With -Dfuzz=true (clang)
 * it is linked with libFuzzer, otherwise with replay.c, which feeds it its corpus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
