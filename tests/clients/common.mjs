// SPDX-License-Identifier: Apache-2.0
// The endpoints of the Backplane, which script/conformance passes, and the requests of the tests of all clients.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const { FTL_CLEAR, FTL_TLS, FTL_CA, FTL_TYPES } = process.env;

export const clear = FTL_CLEAR;
export const tls = FTL_TLS;
export const authority = readFileSync(FTL_CA);
export const types = readFileSync(FTL_TYPES); // a FileDescriptorSet

export const greeting = { verb: { module: "echo", name: "echo" }, body: Buffer.from('{"name":"Bob"}') };
export const nobody = { verb: { module: "nobody", name: "here" }, body: Buffer.from("{}") };

export const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(100_000, i));
export const digest = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");

export function assertGreets(body) {
  assert.match(JSON.parse(Buffer.from(body).toString()).message, /^Hello, Bob! The time is \d{4}-/);
}
