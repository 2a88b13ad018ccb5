/** Makes an image of a directory and names it: `node build.js REPOSITORY DIRECTORY NAME`. */

import { Repository, readDirectory } from 'composefs-oci/composefs';

const [path = '', directory = '', name = ''] = process.argv.slice(2);
const { repo } = await Repository.ensure(path, { algorithm: 'sha256', insecure: true });
try {
  // Nothing that is stored may be collected before the image has its name.
  const id = await repo.hold(async () => {
    const tree = await readDirectory(directory, { destination: { kind: 'repository', objects: repo.objects } });
    return await repo.commitImage(tree, name);
  });
  await repo.syncNames();
  console.log(id);
} finally {
  repo.close();
}
