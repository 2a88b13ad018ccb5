import assert from 'node:assert/strict';
import type { FileLocation } from '../../src/oci/blob/blob-location.js';
import type { Transfer } from '../../src/oci/blob/layer-blob.js';
import { BlobVerifier } from '../../src/oci/blob/verified-read.js';
import type { Descriptor } from '../../src/oci/model/descriptor.js';
import type { ImageSource } from '../../src/oci/sources/image-source.js';

const options = { signal: new AbortController().signal, message: (): void => undefined };

/** Where a layer is that is in a file. */
export async function locateLayer(source: ImageSource, descriptor: Descriptor): Promise<FileLocation> {
  const { result } = await source.layer(descriptor).transfer(async (content) => {
    assert.ok(content.kind === 'file');
    return content.location;
  }, options);
  return result;
}

/** Reads a layer that comes in chunks, and checks it as a pull does. */
export async function fetchLayer(source: ImageSource, descriptor: Descriptor): Promise<Transfer> {
  const { transfer } = await source.layer(descriptor).transfer(async (content) => {
    assert.ok(content.kind === 'chunks');
    const verifier = new BlobVerifier(content.descriptor);
    for await (const chunk of content.chunks) verifier.update(chunk);
    verifier.finish();
  }, options);
  return transfer;
}
