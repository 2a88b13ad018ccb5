/** Mounts an image, with the kernel or through FUSE, lists a directory and unmounts: `node mount.js REPOSITORY IMAGE PLACE`. */

import { readdir } from 'node:fs/promises';
import { mount } from 'composefs-oci';
import { ReadableRepository } from 'composefs-oci/composefs';

const [path = '', image = '', place = ''] = process.argv.slice(2);
await using repo = await ReadableRepository.open(path);
{
  await using mounted = await mount(repo, image, place, { noexec: true });
  console.log((await readdir(mounted.path)).sort().join(' '));
}
console.log(`${(await readdir(place)).length} entries after unmounting`);
