import picomatch from 'picomatch';
import type { ReadableRepository } from '../../composefs/index.js';
import { fullMessage } from '../../errors.js';
import {
  type FileToFind,
  type FoundFile,
  type FoundInLayer,
  findFiles,
  findImage,
  findInLayers,
  listRefs,
  OciImage,
  type WantedFile,
} from '../../index.js';
import type { Context } from '../context/context.js';
import { ExitStatus } from '../context/exit-status.js';
import { withReadableRepository } from '../context/open-repository.js';
import { UsageError } from '../context/usage-error.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { SHORT_DIGEST } from '../terminal/table.js';
import { warn } from '../terminal/warning.js';

export interface OciFindOptions {
  readonly path?: string;
  readonly digest?: string;
  readonly layers?: boolean;
  readonly layer?: string;
  readonly json?: boolean;
}

/** Which images, or which layers of them, have a file: one a line. Exit status 1 if none has, as grep does. */
export async function ociFind(context: Context, names: readonly string[], options: OciFindOptions): Promise<void> {
  const wanted = wantedFile(options);
  await withReadableRepository(context, async (repo) => {
    const images = names.length === 0 ? taggedImages(repo) : await namedImages(repo, names);
    const { layers = false, layer } = options;
    const found: unknown[] = [];
    let count = 0;
    await withDelayedProgress(async (running) => {
      const files =
        layers || layer !== undefined
          ? findInLayers(repo, images, wanted, { layer, ...running })
          : findFiles(repo, images, wanted, running);
      for await (const file of files) {
        count += 1;
        if (options.json) found.push(describe(file));
        else await context.output.line(lineOf(file));
      }
    });
    if (options.json) await context.output.json(found);
    if (count === 0) throw new ExitStatus(1);
  });
}

function lineOf(file: FoundFile | FoundInLayer): string {
  if ('image' in file) return `${file.image}  ${file.path}`;
  const images = file.images.map(({ image, layer }) => `${image} #${layer}`).join(', ');
  return `${file.diffId.slice(file.diffId.indexOf(':') + 1).slice(0, SHORT_DIGEST)}  ${file.path}  (${images})`;
}

function describe(file: FoundFile | FoundInLayer): object {
  const { path, size, object } = file;
  const where = 'image' in file ? { image: file.image } : { layer: file.diffId, images: file.images };
  return { ...where, path, size, object };
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

function wantedFile({ path: glob, digest }: OciFindOptions): WantedFile {
  if (glob === undefined && digest === undefined) {
    throw new UsageError('nothing to look for', { tip: "give '--path <GLOB>' or '--digest <ID>'" });
  }
  const tests: ((file: FileToFind) => boolean)[] = [];
  let bytes: readonly Buffer[] | undefined;
  if (glob !== undefined) {
    // Without a slash it is about names, with one about whole paths.
    const byName = !glob.includes('/');
    const isMatch = picomatch(byName || glob.startsWith('/') ? glob : `/${glob}`, { dot: true });
    tests.push((file) => isMatch(byName ? file.name : file.path));
    bytes = bytesOfGlob(glob);
  }
  if (digest !== undefined) {
    if (!/^[0-9a-f]{8,}$/.test(digest)) {
      throw new UsageError(
        `invalid value '${digest}' for '--digest <ID>': not 8 or more hex digits of an object's name`,
      );
    }
    tests.push(({ object }) => object?.startsWith(digest) === true);
    // As overlayfs has it: in the xattr metacopy, or in the path that is the xattr redirect.
    bytes = [
      Buffer.from(digest.slice(0, digest.length & ~1), 'hex'),
      Buffer.from(`${digest.slice(0, 2)}/${digest.slice(2)}`),
    ];
  }
  return { matches: (file) => tests.every((test) => test(file)), bytes };
}

/** The longest part of a name that every match has; undefined where that is not plain to see. */
function bytesOfGlob(glob: string): Buffer[] | undefined {
  if (/[{}()[\]!|\\]/.test(glob)) return undefined;
  const [longest = ''] = glob.split(/[*?/]+/).sort((a, b) => b.length - a.length);
  return longest === '' ? undefined : [Buffer.from(longest)];
}
