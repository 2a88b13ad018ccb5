import { MessageChannel } from 'node:worker_threads';
import { sendChunks } from '../../threads/chunk-channel.js';
import type { LayerContent } from '../blob/layer-blob.js';
import type { LayerInput, NewLayer } from './layer/store-layer.js';
import type { PullContext } from './pull-context.js';
import type { LayerHelpers } from './threads/layer-helpers.js';

/** Has a thread make a layer of the content; what comes here goes there in chunks. */
export async function storeInThread(
  content: LayerContent,
  layer: Omit<LayerInput, 'descriptor'>,
  helpers: LayerHelpers,
  { repo, pool, namespace, progress }: PullContext,
  signal: AbortSignal,
): Promise<NewLayer> {
  const { descriptor } = content;
  const store = repo.objects.options;
  if (content.kind === 'store') {
    const { location } = content;
    const files = { store, location, diffId: layer.key, blobSize: descriptor.size, limits: layer.limits };
    const options = { signal, onProgress: progress.report.bind(progress) };
    if (location.inNamespace) return await namespace.storeFiles(files, options);
    const { zeroCopy, mayChange } = location;
    const helped = helpers.begin({ zeroCopy, mayChange });
    try {
      const transfer = helped.port === undefined ? [] : [helped.port];
      return await pool.run('store-files', { ...files, helpers: helped.port }, { ...options, transfer });
    } catch (error) {
      throw await helped.explain(error);
    } finally {
      helped.end();
    }
  }
  const helped = helpers.begin();
  const input = { ...layer, store, descriptor, helpers: helped.port };
  const options = { signal, onProgress: progress.report.bind(progress) };
  const transfer = helped.port === undefined ? [] : [helped.port];
  try {
    if (content.kind === 'file') {
      return await pool.run('store-layer', { ...input, content }, { ...options, transfer });
    }
    const { port1, port2 } = new MessageChannel();
    const sending = settled(sendChunks(port1, content.chunks));
    const fromPort = { ...input, content: { kind: 'port', port: port2 } } as const;
    try {
      const both = [...transfer, port2];
      return await pool.run('store-layer', fromPort, { ...options, sharesThread: true, transfer: both });
    } catch (error) {
      port1.close();
      // What the thread has to say then is only that nothing came any more.
      throw (await sending)?.error ?? error;
    } finally {
      port1.close();
      port2.close();
      await sending;
    }
  } catch (error) {
    throw await helped.explain(error);
  } finally {
    helped.end();
  }
}

/** Undefined if it was fulfilled. */
async function settled(promise: Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return { error };
  }
}
