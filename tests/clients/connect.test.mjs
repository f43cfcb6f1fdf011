// SPDX-License-Identifier: Apache-2.0
// Connect's client for Node: three protocols, two versions of HTTP, two codecs, in clear text and with TLS.
import assert from "node:assert/strict";
import { createServer, request as forward } from "node:http";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import {
  compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport, Http2SessionManager,
} from "@connectrpc/connect-node";
import { assertGreets, authority, clear, digest, greeting, nobody, pieces, tls, types } from "./common.mjs";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, types));
const service = (name) => registry.getService(`xyz.block.ftl.v1.${name}`);
const soon = { timeoutMs: 20_000 };

const protocols = { "Connect": createConnectTransport, "gRPC-Web": createGrpcWebTransport, "gRPC": createGrpcTransport };

function combinations() {
  const all = [];
  for (const protocol of Object.keys(protocols))
    for (const httpVersion of protocol === "gRPC" ? ["2"] : ["1.1", "2"])
      for (const useBinaryFormat of [true, false])
        for (const baseUrl of [clear, tls])
          all.push({ protocol, httpVersion, useBinaryFormat, baseUrl });
  return all;
}

for (const { protocol, httpVersion, useBinaryFormat, baseUrl } of combinations()) {
  const name = `${protocol}, HTTP/${httpVersion}, ${useBinaryFormat ? "protobuf" : "JSON"}, ${baseUrl === tls ? "TLS" : "in clear"}`;
  const nodeOptions = { ca: authority };

  test(name, async (context) => {
    const options = { baseUrl, httpVersion, useBinaryFormat, nodeOptions, sendCompression: compressionGzip };
    if (httpVersion === "2") {
      options.sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
      context.after(() => options.sessionManager.abort());
    }
    const transport = protocols[protocol](options);
    const verbs = createClient(service("VerbService"), transport);
    const backplane = createClient(service("BackplaneService"), transport);

    await context.test("a call", async () => {
      assertGreets((await verbs.call(greeting, soon)).response.value);
    });
    await context.test("a method without side effects", async () => {
      assert.equal((await verbs.ping({}, soon)).notReady, "");
    });
    await context.test("an error", async () => {
      await assert.rejects(verbs.call(nobody, soon), (error) => error.code === Code.NotFound && /nobody/.test(error.rawMessage));
    });
    await context.test("a client's stream", async () => {
      async function* requests() {
        for (const content of pieces) yield { content };
      }
      assert.equal(Buffer.from((await backplane.uploadArtefact(requests(), soon)).digest).toString("hex"), digest);
    });
    await context.test("a server's stream", async () => {
      const { deployments } = await backplane.status({}, soon);
      const steps = [];
      for await (const step of backplane.watchDeployment({ deploymentKey: deployments[0].key }, soon)) steps.push(step.state);
      assert.equal(steps.at(-1), 2);
    });
    await context.test("a deadline", async () => {
      await assert.rejects(async () => {
        for await (const _ of backplane.streamLogs({ follow: true }, { timeoutMs: 200 })) continue;
      }, { code: Code.DeadlineExceeded });
    });
  });
}

// A proxy that records what a client sends to the Backplane by HTTP/1.1.
async function observer(context) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${new URL(request.url, clear).pathname}`);
    const { method, headers } = request;
    const onward = forward(clear + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, baseUrl: `http://127.0.0.1:${server.address().port}` };
}

for (const [useHttpGet, method] of [[true, "GET"], [false, "POST"]])
  test(`Connect by ${method}`, async (context) => {
    const { seen, baseUrl } = await observer(context);
    const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet });
    const verbs = createClient(service("VerbService"), transport);
    assert.equal((await verbs.ping({}, soon)).notReady, "");
    assertGreets((await verbs.call(greeting, soon)).response.value); // with side effects: never by GET
    const path = "/xyz.block.ftl.v1.VerbService";
    assert.deepEqual(seen, [`${method} ${path}/Ping`, `POST ${path}/Call`]);
  });
