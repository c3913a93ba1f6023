// Calls an echo server through @grpc/grpc-js; prints what happened as JSON.
// Arguments: a file with the address and PEM texts as JSON. NODE_PATH names the library's folder.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const given = JSON.parse(fs.readFileSync(process.argv[2]));
const same = (bytes) => bytes;
const SERVICE = '/echo.Echo/';

function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return Buffer.from([...bytes, number]);
}
// A StringValue: its only field is 1.
function encode(text) {
  const content = Buffer.from(text);
  return content.length ? Buffer.concat([Buffer.from([10]), varint(content.length), content]) : content;
}
function connect(options = {}, credentials = grpc.credentials.createInsecure(), address = given.address) {
  return new grpc.Client(address, credentials, options);
}
function start(client, method, body, done, metadata = new grpc.Metadata(), options = {}) {
  return client.makeUnaryRequest(method.startsWith('/') ? method : SERVICE + method, same, same, body, metadata, options, done);
}
function outcome(error, response) {
  return error ? { code: error.code, details: error.details } : response.toString('base64');
}
function call(client, method, body, metadata, options) {
  return new Promise((resolve) => {
    start(client, method, body, (error, response) => resolve(outcome(error, response)), metadata, options);
  });
}
// The first response of a stream, and its end after it is cancelled or after its last request.
function stream(client, method, request, cancels) {
  return new Promise((resolve) => {
    const one = client.makeBidiStreamRequest(method, same, same, new grpc.Metadata());
    let first = null;
    one.on('data', (response) => {
      first = response.toString('base64');
      if (cancels) one.cancel();
      else one.end();
    });
    one.on('error', () => {});
    one.on('status', (status) => resolve({ first, code: status.code }));
    one.write(request);
  });
}
const seconds = (count) => ({ deadline: Date.now() + count * 1000 });
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

async function main() {
  const results = {};
  const client = connect({ 'grpc.max_receive_message_length': -1 });
  results.say = await call(client, 'Say', encode('hello'));
  results.empty = await call(client, 'Say', encode(''));
  const metadata = new grpc.Metadata();
  metadata.set('plain', 'a value');
  metadata.add('many', '1');
  metadata.add('many', '2');
  metadata.set('some-bin', Buffer.from([0, 255, 10]));
  results.metadata = await call(client, 'Say', encode('with metadata'), metadata, seconds(60));
  results.failed = await call(client, 'Fail', encode('NOT_FOUND:100% ünbekannt\n'));
  results.defect = await call(client, 'Break', encode('x'));
  results.unknown = await call(client, 'Nothing', encode('x'));
  results.broken = await call(client, 'Say', Buffer.from([255]));
  results.late = await call(client, 'Wait', encode('x'), undefined, seconds(0.3));
  results.cancelled = await new Promise((resolve) => {
    const one = start(client, 'Wait', encode('x'), (error, response) => resolve(outcome(error, response)));
    setTimeout(() => one.cancel(), 200);
  });
  const large = encode('x'.repeat(20e6));
  results.large = (await call(client, 'Say', large)) === large.toString('base64');
  const texts = Array.from({ length: 2000 }, (_, n) => encode(`${n}`.repeat((n * 37) % 900)));
  const answers = await Promise.all(texts.map((body) => call(client, 'Say', body)));
  results.concurrent = answers.filter((answer, n) => answer === texts[n].toString('base64')).length;
  const zipped = connect({ 'grpc.default_compression_algorithm': 2 });
  results.gzip = await call(zipped, 'Say', encode('z'.repeat(100)));
  const alive = connect({ 'grpc.keepalive_time_ms': 20, 'grpc.keepalive_permit_without_calls': 1 });
  results.before = await call(alive, 'Say', encode('1'));
  await pause(500);
  results.after = await call(alive, 'Say', encode('2'));
  results.watch = await stream(client, '/grpc.health.v1.Health/Watch', Buffer.alloc(0), true);
  const reflection = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo';
  results.reflection = await stream(client, reflection, Buffer.from([0x3a, 0]), false);
  const [ca, key, certificate] = [given.ca, given.key, given.certificate].map((text) => Buffer.from(text));
  for (const [name, credentials] of Object.entries({
    tls: grpc.credentials.createSsl(ca, key, certificate),
    stranger: grpc.credentials.createSsl(ca),
  })) {
    const secure = connect({}, credentials, given.secure);
    results[name] = await call(secure, 'Say', encode('secret'), undefined, seconds(5));
    secure.close();
  }
  for (const each of [client, zipped, alive]) each.close();
  process.stdout.write(JSON.stringify(results));
}

main();
