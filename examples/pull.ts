/** Pulls an image, says how far it is, and stops on Ctrl-C: `node pull.js REPOSITORY IMAGE NAME`. */

import { errorCode, type ProgressEvent, pull } from 'composefs-oci';
import { Repository } from 'composefs-oci/composefs';

const [path = '', image = '', name = ''] = process.argv.slice(2);
const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());

function report(event: ProgressEvent): void {
  if (event.type === 'progress') console.error(`${event.id}: ${event.fetched} of ${event.total ?? '?'}`);
  if (event.type === 'message') console.error(event.text);
}

const { repo } = await Repository.ensure(path, { algorithm: 'sha256', insecure: true });
try {
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(600_000)]);
  const { manifestDigest, stats } = await pull(repo, image, name, { progress: { report }, signal });
  console.log(`${manifestDigest}: ${stats.objectsCopied} new objects`);
} catch (error) {
  if (errorCode(error) !== 'ABORT_ERR') throw error;
  console.error('stopped; the same pull goes on from there');
  process.exitCode = 130;
} finally {
  repo.close();
}
