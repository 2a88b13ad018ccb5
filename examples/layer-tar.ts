/** Writes the first layer of an image to a file, as the tar that it was: `node layer-tar.js REPOSITORY IMAGE FILE`. */

import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { findImage, layerInfo, layerTar, parseOciDigest } from 'composefs-oci';
import { ReadableRepository } from 'composefs-oci/composefs';

const [path = '', name = '', file = ''] = process.argv.slice(2);
await using repo = await ReadableRepository.open(path);
const [first] = (await findImage(repo, name)).layerDiffIds();
if (first === undefined) throw new Error(`${name} has no layers`);
const diffId = parseOciDigest(first);
const { entryCount, size } = await layerInfo(repo, diffId);
const signal = AbortSignal.timeout(60_000);
await pipeline(layerTar(repo, diffId, { signal }), createWriteStream(file), { signal });
console.log(`${entryCount} entries, ${size} bytes`);
