import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { formatFsckError, Repository } from '../../src/composefs/index.js';
import {
  formatOciFsckError,
  fullMessage,
  isOciFsckOk,
  layerTar,
  listRefs,
  OciImage,
  ociFsck,
  parseOciDigest,
} from '../../src/index.js';

import { referenceCfsctl } from '../support/programs.js';

/**
 * What is wrong with a repository, each in a line: by our fsck, by that of the reference where there is one, and of
 * each tagged image what its layers hash to and whether its file system can be opened.
 */
export async function findings(path: string): Promise<string[]> {
  const found = await inspect(path, async (repo) => {
    const result = await ociFsck(repo, { threads: 0 });
    if (isOciFsckOk(result)) return await imageFindings(repo);
    const errors = [...result.repoResult.errors.map(formatFsckError), ...result.errors.map(formatOciFsckError)];
    return [...errors, ...(await imageFindings(repo))];
  });
  return [...found, ...referenceFindings(path)];
}

/** What is wrong with the tagged images: other things in the repository may be anyhow. */
export function taggedImageFindings(path: string): Promise<string[]> {
  return inspect(path, imageFindings);
}

async function inspect(path: string, look: (repo: Repository) => Promise<string[]> | string[]): Promise<string[]> {
  let repo: Repository | undefined;
  try {
    repo = await Repository.open(path);
    return await look(repo);
  } catch (error) {
    return [`${repo === undefined ? 'cannot be opened' : 'cannot be checked'}: ${fullMessage(error)}`];
  } finally {
    repo?.close();
  }
}

async function imageFindings(repo: Repository): Promise<string[]> {
  const found: string[] = [];
  for (const [tag] of listRefs(repo)) {
    const wrong = await imageFinding(repo, tag);
    if (wrong !== undefined) found.push(`image ${tag}: ${wrong}`);
  }
  return found;
}

/** Whether a tagged image is whole, without the help of fsck. */
async function imageFinding(repo: Repository, tag: string): Promise<string | undefined> {
  try {
    const image = OciImage.openRef(repo, tag);
    if (!image.isContainerImage()) return undefined;
    for (const diffId of image.layerDiffIds()) {
      const hash = createHash('sha256');
      for await (const piece of layerTar(repo, parseOciDigest(diffId))) hash.update(piece);
      if (`sha256:${hash.digest('hex')}` !== diffId) return `layer ${diffId} has other content`;
    }
    const erofs = image.imageRef(repo.erofsVersion);
    if (erofs === undefined) return 'no file system is linked';
    for (const object of await repo.objectsForImage(erofs)) {
      if (!repo.objects.has(object)) return `object ${object} of its file system is missing`;
    }
    return undefined;
  } catch (error) {
    return fullMessage(error);
  }
}

function referenceFindings(path: string): string[] {
  const reference = referenceCfsctl();
  if (reference === undefined) return [];
  const { status, stdout, stderr } = spawnSync(reference, ['--repo', path, 'oci', 'fsck'], {
    encoding: 'utf8',
    env: { ...process.env, RUST_BACKTRACE: '0' },
  });
  if (status === 0) return [];
  const lines = (stdout + stderr).split('\n').filter((line) => /^fsck:|error|Caused/i.test(line));
  return [`the reference finds: ${lines.slice(0, 3).join('; ') || `status ${status}`}`];
}
