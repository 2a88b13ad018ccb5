/** Lists images, walks through the files of one, and reads one of them: `node browse.js REPOSITORY IMAGE FILE`. */

import { findImage, listImages, openImageFiles } from 'composefs-oci';
import { ReadableRepository } from 'composefs-oci/composefs';

const [path = '', name = '', file = ''] = process.argv.slice(2);
await using repo = await ReadableRepository.open(path);

for (const image of await listImages(repo)) console.log(image.name, image.manifestDigest, image.layerCount);

const files = await openImageFiles(repo, await findImage(repo, name));
let count = 0;
for await (const entry of files.walk('/')) if (entry.isFile()) count += 1;
console.log(`${count} files`);

// Symlinks are followed, inside of the image.
process.stdout.write(await files.readFile(file, 'utf8'));
