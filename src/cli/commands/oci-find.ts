import picomatch from 'picomatch';
import type { ImageDirent, ReadableRepository } from '../../composefs/index.js';
import { fullMessage } from '../../errors.js';
import { findFiles, findImage, listRefs, OciImage } from '../../index.js';
import type { Context } from '../context/context.js';
import { ExitStatus } from '../context/exit-status.js';
import { withReadableRepository } from '../context/open-repository.js';
import { UsageError } from '../context/usage-error.js';
import { warn } from '../terminal/warning.js';

export interface OciFindOptions {
  readonly path?: string;
  readonly digest?: string;
  readonly json?: boolean;
}

/** Which images have a file: an image and a path a line. Exit status 1 if none has, as grep does. */
export async function ociFind(context: Context, names: readonly string[], options: OciFindOptions): Promise<void> {
  const matches = matcher(options);
  await withReadableRepository(context, async (repo) => {
    const images = names.length === 0 ? taggedImages(repo) : await namedImages(repo, names);
    const found: unknown[] = [];
    let count = 0;
    for await (const { image, file } of findFiles(repo, images, matches)) {
      count += 1;
      if (options.json) found.push({ image, path: file.path, size: file.stats.size, object: file.stats.object });
      else await context.output.line(`${image}  ${file.path}`);
    }
    if (options.json) await context.output.json(found);
    if (count === 0) throw new ExitStatus(1);
  });
}

async function namedImages(repo: ReadableRepository, names: readonly string[]): Promise<Map<string, OciImage>> {
  const images = new Map<string, OciImage>();
  for (const name of names) images.set(name, await findImage(repo, name));
  return images;
}

/** All that have files; tags whose image cannot be opened are named and passed over. */
function taggedImages(repo: ReadableRepository): Map<string, OciImage> {
  const images = new Map<string, OciImage>();
  for (const [tag, digest] of listRefs(repo)) {
    try {
      const image = OciImage.open(repo, digest);
      if (image.isContainerImage()) images.set(tag, image);
    } catch (error) {
      warn(`skipping image ${tag}: ${fullMessage(error)}`);
    }
  }
  return images;
}

function matcher({ path: glob, digest }: OciFindOptions): (file: ImageDirent) => boolean {
  if (glob === undefined && digest === undefined) {
    throw new UsageError('nothing to look for', { tip: "give '--path <GLOB>' or '--digest <ID>'" });
  }
  const tests: ((file: ImageDirent) => boolean)[] = [];
  if (glob !== undefined) {
    // Without a slash it is about names, with one about whole paths.
    const byName = !glob.includes('/');
    const isMatch = picomatch(byName || glob.startsWith('/') ? glob : `/${glob}`, { dot: true });
    tests.push((file) => isMatch(byName ? file.name : file.path));
  }
  if (digest !== undefined) {
    if (!/^[0-9a-f]{8,}$/.test(digest)) {
      throw new UsageError(
        `invalid value '${digest}' for '--digest <ID>': not 8 or more hex digits of an object's name`,
      );
    }
    tests.push(({ stats }) => stats.object?.startsWith(digest) === true);
  }
  return (file) => tests.every((test) => test(file));
}
