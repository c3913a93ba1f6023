// A request to an endpoint of the offline clouds, by the API that the SDKs call: a form made from the
// signatures of what it serves, or a body as JSON for containers that read their own form.

import { answerView } from "./answer.js";
import { h, put } from "./dom.js";
import { printable } from "./format.js";
import { parse } from "./json.js";
import { record, send } from "./server.js";
import { inline, quoted, shell, vertexBody } from "./snippets.js";
import { TryIt, timing } from "./tryit.js";

const ANY = { outputs: [] };
const AWS = "AWS";

/** Return the form of an endpoint's row; it is made when it is first opened. */
export function endpointForm(row) {
  const area = h("div", {});
  let shown = null;
  const show = async () => {
    if (!details.open) return;
    const card = await record("endpoints", row.resource).catch(() => null);
    const key = JSON.stringify(card);
    if (key === shown) return;
    shown = key;
    put(area, card ? new TryIt(card, { versions: [] }, apiOf(row)).element : plainForm(row));
  };
  const details = h("details", { class: "spaced", ontoggle: show }, h("summary", {}, "Send a request"),
    h("p", { class: "quiet fine" }, h("code", {}, `POST ${row.path}`)), area);
  // What it serves may have changed.
  return { element: details, update: show };
}

function apiOf(row) {
  const isAws = row.cloud === AWS;
  return {
    title: `Try ${printable(row.name)}, ${row.cloud} ${row.place}`,
    snippets: isAws ? AWS_SNIPPETS(row) : VERTEX_SNIPPETS(row),
    path: () => row.path,
    send: (path, body) => (isAws ? send(path, body, scopeOf(row)) : send(path, vertexBody({ rows: body }))),
    read: withReason,
  };
}

/** Return the header that names an endpoint's region; the offline clouds check no signature by default. */
function scopeOf(row) {
  return { Authorization: `AWS4-HMAC-SHA256 Credential=console/20260101/${row.place}/sagemaker/aws4_request, SignedHeaders=host, Signature=none` };
}

/** Put the text of a cloud's error where those of TensorFlow Serving are. */
function withReason(answer) {
  const { Message, message, error } = answer.document ?? {};
  const words = Message ?? message ?? error?.message;
  if (words !== undefined) answer.document.error = words;
  return answer;
}

function plainForm(row) {
  const body = h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Body as JSON" });
  body.value = '{"instances": [1.0]}';
  const result = h("div", { class: "result", "aria-live": "polite" });
  const button = h("button", { type: "submit", class: "primary" }, "Send");
  const run = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await send(row.path, body.value, row.cloud === AWS ? scopeOf(row) : {});
      try { answer.document = parse(answer.text); } catch { answer.document = null; }
      put(result, timing(withReason(answer)), answerView(answer, ANY));
    } catch (error) {
      put(result, h("p", { class: "problem" }, printable(error.message)));
    } finally {
      button.disabled = false;
    }
  };
  return h("form", { onsubmit: run }, body, h("div", { class: "actions" }, button), result);
}

const AWS_SNIPPETS = (row) => [
  { name: "SageMaker (boto3)", write: ({ rows, origin }) => `# pip install boto3; the variables of the offline clouds have the keys
import boto3

client = boto3.client("sagemaker-runtime", region_name=${quoted(row.place)}, endpoint_url=${quoted(origin)})
answer = client.invoke_endpoint(
    EndpointName=${quoted(row.name)},
    ContentType="application/json",
    Body=${inline(rows, quoted, 'open("request.json").read()')},
)
print(answer["Body"].read().decode())` },
  command(row, ({ rows }) => rows),
  { name: "curl", write: ({ rows, origin }) => curl(row, origin, rows, ` -H ${shell(`Authorization: ${scopeOf(row).Authorization}`)}`) },
];

const VERTEX_SNIPPETS = (row) => [
  { name: "Vertex AI (google-cloud-aiplatform)", write: (request) => `# pip install google-cloud-aiplatform; the variables of the offline clouds have the account
import json

from google.cloud import aiplatform

aiplatform.init(api_endpoint=${quoted(request.origin)}, api_transport="rest")
body = json.loads(${inline(vertexBody(request), quoted, 'open("request.json").read()')})
endpoint = aiplatform.Endpoint(${quoted(row.resource)})
print(endpoint.predict(body["instances"], parameters=body.get("parameters")).predictions)` },
  command(row, vertexBody),
  { name: "curl", write: (request) => curl(row, request.origin, vertexBody(request), "") },
];

/** Return the command; with the variables of the offline clouds, or it would ask the real one. */
function command(row, bodyOf) {
  return { name: "cloudserve predict", write: (request) => {
    const body = bodyOf(request);
    const input = inline(body, (text) => `printf %s ${shell(text)} |`, "cat request.json |");
    return `# with the variables that cloudserve emulate printed\n${input} cloudserve predict ${shell(row.resource)}`;
  } };
}

function curl(row, origin, body, more) {
  return `curl -H 'Content-Type: application/json'${more} -d ${inline(body, shell, "@request.json")} ${shell(origin + row.path)}`;
}
