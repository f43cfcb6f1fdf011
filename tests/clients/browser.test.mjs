// SPDX-License-Identifier: Apache-2.0
// A page calls by fetch in Chromium, which makes the requests of CORS and hides answers that are not allowed.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { assertGreets, clear, greeting } from "./common.mjs";

let browser, pages, port;

before(async () => {
  pages = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>"));
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  port = pages.address().port;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--host-resolver-rules=MAP foreign.example 127.0.0.1",
           "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"],
  });
});

after(async () => {
  await browser?.close();
  pages.close();
});

const body = JSON.stringify({ ...greeting, body: greeting.body.toString("base64") });

// Calls from a page of this host. Returns the status and text, or the error that fetch threw.
async function fetchFrom(host, path, init) {
  const page = await browser.newPage();
  try {
    await page.goto(`http://${host}:${port}/`);
    return await page.evaluate(async ([url, options]) => {
      try {
        const response = await fetch(url, options);
        return { status: response.status, text: await response.text() };
      } catch (error) {
        return { error: String(error) };
      }
    }, [clear + "/xyz.block.ftl.v1.VerbService/" + path, init]);
  } finally {
    await page.close();
  }
}

const json = { method: "POST", headers: { "content-type": "application/json" }, body };

for (const host of ["localhost", "127.0.0.1"])
  test(`a page of ${host} calls, with a preflight`, async () => {
    const answer = await fetchFrom(host, "Call", { ...json, headers: { ...json.headers, "connect-protocol-version": "1" } });
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assertGreets(Buffer.from(JSON.parse(answer.text).body, "base64"));
  });

test("a page of localhost calls by GET, without one", async () => {
  const answer = await fetchFrom("localhost", "Ping?connect=v1&encoding=json&message=%7B%7D");
  assert.deepEqual(answer, { status: 200, text: "{}" });
});

test("a page of another host is refused, with and without a preflight", async () => {
  assert.match((await fetchFrom("foreign.example", "Call", json)).error, /Failed to fetch/);
  assert.match((await fetchFrom("foreign.example", "Ping?connect=v1&encoding=json&message=%7B%7D")).error, /Failed to fetch/);
  // The error is not a failed connection: a request without a preflight is sent, and only its answer is hidden.
  assert.equal((await fetchFrom("foreign.example", "Ping", { mode: "no-cors" })).status, 0);
});
