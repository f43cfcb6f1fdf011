/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target takes any bytes and returns 0; ASSERT and the sanitizers report failures. With -Dfuzz=true (clang) it is
 * linked with libFuzzer, otherwise with replay.c, which runs it on its corpus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
