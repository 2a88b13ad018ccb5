import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';

/**
 * Fetches the image `bench` of a registry with TLS as a pull has to: its manifest, then its config, then as many layers at
 * once as a pull fetches. Checks the digests of the blobs, and keeps nothing: what the line can do.
 * `node dist/bench/fetch-image.js HOST CA-FILE CONNECTIONS`
 */

interface Descriptor {
  readonly digest: string;
}

const [host, caFile = '', connections] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections), ca: readFileSync(caFile) });

async function fetchPath(path: string, use: (chunk: Buffer) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get(`https://${host}/v2/bench/${path}`, { agent }, (response) => {
      response.on('data', use).on('end', resolve).on('error', reject);
    }).on('error', reject);
  });
}

async function fetchBlob({ digest }: Descriptor): Promise<void> {
  const hash = createHash('sha256');
  await fetchPath(`blobs/${digest}`, (chunk) => hash.update(chunk));
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`the blob ${digest} has another digest`);
}

let manifest = '';
await fetchPath('manifests/latest', (chunk) => {
  manifest += chunk.toString();
});
const { config, layers } = JSON.parse(manifest) as { config: Descriptor; layers: Descriptor[] };
await fetchBlob(config);
await Promise.all(layers.map(fetchBlob));
agent.destroy();
