// The AWS SDK for JavaScript: a model into S3, to an endpoint, and its answer; prints JSON.
const fs = require('node:fs');
const {
  S3Client, CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command,
  PutObjectCommand,
} = require('@aws-sdk/client-s3');
const {Upload} = require('@aws-sdk/lib-storage');
const {
  SageMakerClient, CreateEndpointCommand, CreateEndpointConfigCommand, CreateModelCommand,
  DeleteEndpointCommand, DescribeEndpointCommand, waitUntilEndpointInService,
} = require('@aws-sdk/client-sagemaker');
const {SageMakerRuntimeClient, InvokeEndpointCommand} = require('@aws-sdk/client-sagemaker-runtime');

const [, , archive, image] = process.argv;
const Bucket = 'from-node';
const mib = 1 << 20;

async function errorOf(promise) {
  const error = await promise.then(() => null, error => error);
  return error && [error.name, error.$metadata?.httpStatusCode];
}

async function store(s3) {
  await s3.send(new CreateBucketCommand({Bucket}));
  const put = await s3.send(
    new PutObjectCommand({Bucket, Key: 'model.tar.gz', Body: fs.readFileSync(archive)}));
  const params = {Bucket, Key: 'parts', Body: Buffer.alloc(6 * mib, 'a')};
  const upload = await new Upload({client: s3, params, partSize: 5 * mib}).done();
  const got = await s3.send(new GetObjectCommand({Bucket, Key: 'parts', ChecksumMode: 'ENABLED'}));
  const text = await got.Body.transformToString();
  const listed = await s3.send(new ListObjectsV2Command({Bucket}));
  const again = new PutObjectCommand({Bucket, Key: 'parts', Body: 'b', IfNoneMatch: '*'});
  return {
    checksum: Boolean(put.ChecksumCRC32),
    parts: upload.ETag.endsWith('-2"'),
    same: text === 'a'.repeat(6 * mib),
    keys: listed.Contents.map(each => each.Key),
    taken: await errorOf(s3.send(again)),
    missing: await errorOf(s3.send(new GetObjectCommand({Bucket, Key: 'none'}))),
  };
}

async function regions(s3) {
  const there = new S3Client({region: 'eu-west-1'});
  const wrong = await errorOf(there.send(new GetObjectCommand({Bucket, Key: 'parts'})));
  const following = new S3Client({region: 'eu-west-1', followRegionRedirects: true});
  const got = await following.send(new GetObjectCommand({Bucket, Key: 'parts'}));
  await s3.send(new DeleteObjectCommand({Bucket, Key: 'parts'}));
  return {wrong, followed: got.ContentLength};
}

async function deploy(sagemaker) {
  const ModelDataUrl = `s3://${Bucket}/model.tar.gz`;
  const ExecutionRoleArn = 'arn:aws:iam::000000000000:role/serving';
  const PrimaryContainer = {Image: image, ModelDataUrl};
  await sagemaker.send(
    new CreateModelCommand({ModelName: 'node', ExecutionRoleArn, PrimaryContainer}));
  const variant = {
    VariantName: 'one', ModelName: 'node', InstanceType: 'ml.m5.large', InitialInstanceCount: 1,
  };
  await sagemaker.send(new CreateEndpointConfigCommand(
    {EndpointConfigName: 'node', ProductionVariants: [variant]}));
  await sagemaker.send(
    new CreateEndpointCommand({EndpointName: 'node', EndpointConfigName: 'node'}));
  const waiting = {client: sagemaker, minDelay: 1, maxDelay: 1, maxWaitTime: 120};
  const {state} = await waitUntilEndpointInService(waiting, {EndpointName: 'node'});
  const answer = await new SageMakerRuntimeClient().send(new InvokeEndpointCommand({
    EndpointName: 'node', ContentType: 'application/json', Body: '{"instances": [1.0, 5.0]}',
  }));
  await sagemaker.send(new DeleteEndpointCommand({EndpointName: 'node'}));
  const gone = sagemaker.send(new DescribeEndpointCommand({EndpointName: 'none'}));
  return {state, answer: JSON.parse(answer.Body.transformToString()), gone: await errorOf(gone)};
}

async function main() {
  const s3 = new S3Client();
  const stored = await store(s3);
  const deployed = await deploy(new SageMakerClient());
  return {stored, regions: await regions(s3), deployed};
}

main().then(report => console.log(JSON.stringify(report)));
