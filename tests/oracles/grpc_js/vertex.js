// @google-cloud/aiplatform of Node against the offline Vertex AI, over TLS and without; prints JSON.
const {EndpointServiceClient} = require('@google-cloud/aiplatform').v1;
const {credentials} = require('@grpc/grpc-js');

const url = new URL(process.env.STORAGE_EMULATOR_HOST);
const parent = `projects/${process.env.GOOGLE_CLOUD_PROJECT}/locations/us-central1`;

async function run(options) {
  const client = new EndpointServiceClient({
    apiEndpoint: 'localhost',
    port: Number(url.port),
    ...options,
  });
  const [operation] = await client.createEndpoint({parent, endpoint: {displayName: 'e'}});
  const [created] = await operation.promise();
  const [listed] = await client.listEndpoints({parent});
  const error = await client.getEndpoint({name: `${parent}/endpoints/1`}).catch(error => error);
  await client.close();
  return {
    isListed: listed.some(endpoint => endpoint.name === created.name),
    code: error.code,
    details: error.details,
  };
}

async function main() {
  return {tls: await run({}), plain: await run({sslCreds: credentials.createInsecure()})};
}

main().then(report => console.log(JSON.stringify(report)));
