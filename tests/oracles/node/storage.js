// @google-cloud/storage with its defaults: uploads, downloads, preconditions; prints JSON.
const {Storage} = require('@google-cloud/storage');
const {pipeline} = require('node:stream/promises');
const {Readable} = require('node:stream');

const kib = 1 << 10;

async function codeOf(promise) {
  return promise.then(() => null, error => error.code);
}

async function main() {
  const storage = new Storage();
  const [bucket] = await storage.createBucket('from-node', {location: 'EU'});
  const text = bucket.file('a/b.txt');
  await text.save('hi', {resumable: false, metadata: {contentType: 'text/plain'}});
  const big = Buffer.alloc(900 * kib, 'a');
  const chunked = bucket.file('chunks');
  const chunkSize = 256 * kib;
  await pipeline(Readable.from([big]), chunked.createWriteStream({resumable: true, chunkSize}));
  const streamed = bucket.file('stream');
  await pipeline(Readable.from([big]), streamed.createWriteStream());
  const [joined] = await bucket.combine(['a/b.txt', 'chunks'], 'joined');
  const [files] = await bucket.getFiles({prefix: 'a/'});
  const [content] = await text.download();
  const [copy] = await streamed.download();
  const only = {resumable: false, preconditionOpts: {ifGenerationMatch: 0}};
  const [metadata] = await joined.getMetadata();
  const taken = await codeOf(text.save('again', only));
  const odd = await codeOf(bucket.file('a\nb').save('x', {resumable: false}));
  await text.delete();
  return {
    content: content.toString(),
    same: copy.equals(big),
    listed: files.map(file => file.name),
    joined: [Number(metadata.size), metadata.componentCount],
    taken,
    odd,
    missing: await codeOf(text.download()),
    location: (await bucket.getMetadata())[0].location,
  };
}

main().then(report => console.log(JSON.stringify(report)));
