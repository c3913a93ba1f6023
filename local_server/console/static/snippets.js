// The same request for each server, cloud and language.

import { parse, write } from "./json.js";

const LONGEST_INLINE = 3000;

/** Return a string literal that Python, Go and JavaScript read the same. */
export const quoted = (text) => JSON.stringify(text);
export const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Return a body as a literal, or how to read it from a file if it is long. */
export const inline = (body, literal, fromFile) => (body.length <= LONGEST_INLINE ? literal(body) : fromFile);

/** Return a body as Vertex AI takes it: the signature is one of its parameters. */
export function vertexBody({ rows }) {
  try {
    const { signature_name: name, ...others } = parse(rows);
    return name ? write({ ...others, parameters: { ...others.parameters, signature_name: name } }) : rows;
  } catch {
    return rows;
  }
}

function curl({ origin, path, rows }) {
  const data = inline(rows, shell, "@request.json");
  return `curl -H 'Content-Type: application/json' -d ${data} ${shell(origin + path)}`;
}

function python({ origin, path, rows }) {
  const body = inline(rows, (text) => `${quoted(text)}.encode()`, 'open("request.json", "rb").read()');
  return `import json
import urllib.request

body = ${body}
request = urllib.request.Request(
    ${quoted(origin + path)},
    data=body,
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))`;
}

function go({ origin, path, rows }) {
  const body = inline(rows, (text) => `strings.NewReader(${quoted(text)}), error(nil)`, 'os.Open("request.json")');
  const library = rows.length <= LONGEST_INLINE ? "strings" : "os";
  return `package main

import (
	"fmt"
	"io"
	"net/http"
	"${library}"
)

func main() {
	body, err := ${body}
	if err != nil {
		panic(err)
	}
	response, err := http.Post(${quoted(origin + path)}, "application/json", body)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	fmt.Println(response.Status, string(answer), err)
}`;
}

function javascript({ origin, path, rows }) {
  const body = inline(rows, quoted, 'require("fs").readFileSync("request.json")');
  return `fetch(${quoted(origin + path)}, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: ${body},
}).then(async (response) => console.log(response.status, await response.text()));`;
}

function grpc({ columns, model, version, signature }) {
  const body = inline(columns, quoted, 'open("request.json").read()');
  const numbers = signature.inputs.map((spec) => `    ${quoted(spec.alias)}: ${quoted(spec.dtype)},`).join("\n");
  return `# pip install tensorflow tensorflow-serving-api
import json

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

dtypes = {
${numbers}
}
inputs = json.loads(${body})["inputs"]
if len(dtypes) == 1:
    inputs = {alias: inputs for alias in dtypes}
request = predict_pb2.PredictRequest()
request.model_spec.name = ${quoted(model)}
request.model_spec.version.value = ${version}
request.model_spec.signature_name = ${quoted(signature.name)}
for alias, values in inputs.items():
    request.inputs[alias].CopyFrom(tf.make_tensor_proto(values, dtypes[alias]))
channel = grpc.insecure_channel("localhost:8500")
print(prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, 10.0))`;
}

function vertex(request) {
  const body = inline(vertexBody(request), quoted, 'open("request.json").read()');
  return `# pip install google-cloud-aiplatform
import json

from google.cloud import aiplatform

body = json.loads(${body})
endpoint = aiplatform.Endpoint("projects/PROJECT/locations/REGION/endpoints/ENDPOINT")
print(endpoint.predict(body["instances"], parameters=body.get("parameters")).predictions)`;
}

function sagemaker({ rows }) {
  const body = inline(rows, quoted, 'open("request.json").read()');
  return `# pip install boto3
import boto3

answer = boto3.client("sagemaker-runtime").invoke_endpoint(
    EndpointName="ENDPOINT",
    ContentType="application/json",
    Body=${body},
)
print(answer["Body"].read().decode())`;
}

/** The forms of a request; those that need rows are not offered without. */
export const SNIPPETS = [
  { name: "TensorFlow Serving, rows", needsRows: true, write: ({ path, rows }) => `POST ${path}\n\n${rows}` },
  { name: "TensorFlow Serving, columns", write: ({ path, columns }) => `POST ${path}\n\n${columns}` },
  { name: "gRPC (Python)", write: grpc },
  { name: "Vertex AI (Python)", needsRows: true, write: vertex },
  { name: "Vertex AI, body", needsRows: true, write: vertexBody },
  { name: "SageMaker (boto3)", write: sagemaker },
  { name: "curl", write: curl },
  { name: "Python", write: python },
  { name: "Go", write: go },
  { name: "JavaScript", write: javascript },
];
