// Sample from a base model, with a client whose types come from openapi.yaml.
//
//     TINKER_BASE_URL=http://127.0.0.1:8000 TINKER_API_KEY=tml-local node build/sample.js

import createClient from "openapi-fetch";

import type { components, paths } from "./contract.js";

type Sample = components["schemas"]["SampleResponse"];

const client = createClient<paths>({
  baseUrl: process.env["TINKER_BASE_URL"] ?? "http://127.0.0.1:4010",
  headers: { "X-API-Key": process.env["TINKER_API_KEY"] ?? "tml-mock" },
});

/** The data of a response; an error of the contract becomes an exception. */
function unwrap<T>(response: { data?: T; error?: unknown; response: Response }): T {
  if (response.data === undefined) {
    throw new Error(`${response.response.url}: ${response.response.status} ${JSON.stringify(response.error)}`);
  }
  return response.data;
}

/** The result of a promise. The server holds the request until it has one, or for some seconds. */
async function result(requestId: string): Promise<Sample> {
  for (;;) {
    const answer = unwrap(await client.POST("/api/v1/retrieve_future", { body: { request_id: requestId } }));
    if (typeof answer === "string") throw new Error("The server returned protobuf.");
    if ("error" in answer) throw new Error(JSON.stringify(answer));
    if ("type" in answer && answer.type === "sample") return answer;
  }
}

const offered = unwrap(await client.GET("/api/v1/get_server_capabilities"));
const model = offered.supported_models[0]?.model_name;
if (!model) throw new Error("The server offers no model.");

const session = unwrap(
  await client.POST("/api/v1/create_session", { body: { tags: ["typescript"], sdk_version: "0.40.0" } }),
);
const sampler = unwrap(
  await client.POST("/api/v1/create_sampling_session", {
    body: { session_id: session.session_id, sampling_session_seq_id: 0, base_model: model },
  }),
);
if (!("sampling_session_id" in sampler)) throw new Error("The server returned a promise in place of a sampler.");
const promise = unwrap(
  await client.POST("/api/v1/asample", {
    body: {
      sampling_session_id: sampler.sampling_session_id,
      seq_id: 0,
      prompt: { chunks: [{ type: "encoded_text", tokens: [72, 101, 108, 108, 111] }] },
      sampling_params: { max_tokens: 8, seed: 1 },
    },
  }),
);
const sample = await result(promise.request_id);
for (const sequence of sample.sequences) console.log(model, sequence.stop_reason, sequence.tokens);
await client.POST("/api/v1/sessions/{session_id}/finish", {
  params: { path: { session_id: session.session_id } },
  body: { reason: { type: "success" } },
});
