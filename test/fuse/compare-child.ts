import { strict as assert } from 'node:assert';
import { Repository } from '../../src/composefs/repository/index.js';
import { mountFuse } from '../../src/fuse/index.js';
import { clearMounts, snapshot } from './fuse-support.js';

/**
 * Mounts an image through FUSE as whoever runs this, compares it with another mount of it, and prints how many paths
 * there are: REPOSITORY IMAGE MOUNT-POINT OTHER-MOUNT
 */
const [path = '', image = '', mountPoint = '', other = ''] = process.argv.slice(2);
const repo = await Repository.open(path);
try {
  await mountFuse(repo, image, mountPoint);
  const expected = snapshot(other);
  assert.deepEqual(snapshot(mountPoint), expected);
  process.stdout.write(`${process.getuid?.()} sees ${expected.size}\n`);
} finally {
  clearMounts(mountPoint);
  repo.close();
}
