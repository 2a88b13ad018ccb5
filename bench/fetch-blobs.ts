import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';

/**
 * Fetches blobs of a registry with TLS, as many at once as a pull does, checks their digests, and keeps nothing: what
 * the line can do. `node dist/bench/fetch-blobs.js HOST CA-FILE CONNECTIONS DIGEST…`
 */

const [host, caFile = '', connections, ...digests] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections), ca: readFileSync(caFile) });

async function fetchBlob(digest: string): Promise<void> {
  const url = `https://${host}/v2/bench/blobs/${digest}`;
  const hash = createHash('sha256');
  await new Promise<void>((resolve, reject) => {
    get(url, { agent }, (response) => {
      response
        .on('data', (chunk: Buffer) => hash.update(chunk))
        .on('end', resolve)
        .on('error', reject);
    }).on('error', reject);
  });
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`${url} has another digest`);
}

await Promise.all(digests.map(fetchBlob));
agent.destroy();
