// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js, the gRPC client for Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { assertGreets, authority, clear, digest, greeting, nobody, pieces, tls, types } from "./common.mjs";

const { VerbService, BackplaneService } = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(types)).xyz.block.ftl.v1;

const ways = {
  "in clear": [clear.replace("http://", ""), () => grpc.credentials.createInsecure()],
  "with TLS": [tls.replace("https://", ""), () => grpc.credentials.createSsl(authority)],
  "with gzip": [clear.replace("http://", ""), () => grpc.credentials.createInsecure(), { "grpc.default_compression_algorithm": 2 }],
};
const soon = () => ({ deadline: Date.now() + 20_000 });

for (const [way, [address, credentials, options]] of Object.entries(ways)) {
  const connect = (context, Service) => {
    const client = new Service(address, credentials(), options);
    context.after(() => client.close());
    return client;
  };
  const call = (client, method, request, more = soon()) =>
    new Promise((resolve, reject) =>
      client[method](request, more, (error, response) => (error ? reject(error) : resolve(response))));

  test(`${way}: a call`, async (context) => {
    assertGreets((await call(connect(context, VerbService), "Call", greeting)).body);
  });

  test(`${way}: many calls at a time`, async (context) => {
    const client = connect(context, VerbService);
    const answers = await Promise.all(Array.from({ length: 100 }, () => call(client, "Call", greeting)));
    answers.forEach((answer) => assertGreets(answer.body));
  });

  test(`${way}: an error`, async (context) => {
    await assert.rejects(call(connect(context, VerbService), "Call", nobody), (error) =>
      error.code === grpc.status.NOT_FOUND && /nobody/.test(error.details));
  });

  test(`${way}: a client's stream`, async (context) => {
    const client = connect(context, BackplaneService);
    const answer = await new Promise((resolve, reject) => {
      const stream = client.UploadArtefact(soon(), (error, response) => (error ? reject(error) : resolve(response)));
      for (const content of pieces) stream.write({ content });
      stream.end();
    });
    assert.equal(Buffer.from(answer.digest).toString("hex"), digest);
  });

  test(`${way}: a server's stream`, async (context) => {
    const client = connect(context, BackplaneService);
    const { deployments } = await call(client, "Status", {});
    const steps = await client.WatchDeployment({ deployment_key: deployments[0].key }, soon()).toArray();
    assert.equal(steps.at(-1).state, 2);
  });

  test(`${way}: a deadline`, async (context) => {
    const logs = connect(context, BackplaneService).StreamLogs({ follow: true }, { deadline: Date.now() + 200 });
    await assert.rejects(logs.toArray(), { code: grpc.status.DEADLINE_EXCEEDED });
  });
}
