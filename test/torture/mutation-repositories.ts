import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Repository } from '../../src/composefs/index.js';
import {
  composefs,
  createFilesystem,
  isOciFsckOk,
  layerTar,
  OciImage,
  ociFsck,
  parseOciDigest,
  pull,
} from '../../src/index.js';
import { AMD64, buildImage } from '../support/oci-fixtures.js';
import { Random } from '../support/random.js';
import { randomLayers, writeLayout } from './layouts.js';
import { Wrong } from './mutation-targets.js';
import { mutateBytes, mutateJson } from './mutators.js';

const TAGS = ['a', 'b'];

/** What a reader gets of the tagged images while nothing is changed. */
interface Content {
  readonly dumps: ReadonlyMap<string, string>;
  readonly layers: readonly string[];
}

/** Repositories without fs-verity in which one file or link was changed. */
export class MutatedRepositories {
  readonly #path: string;
  readonly #folder: string;
  #content: Content | undefined;
  #entries: readonly string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'changed');
  }

  /**
   * Changes something, and changes it back.
   *
   * @throws Wrong if fsck finds nothing although a change was made that is none of names; or if a layer is written out
   *   with other content, and without an error.
   */
  async try(random: Random): Promise<void> {
    this.#content ??= await this.#prepare();
    const name = random.pick(this.#entries);
    const path = join(this.#path, name);
    const undo = lstatSync(path).isSymbolicLink() ? this.#changeLink(path, random) : changeFile(path, random);
    if (undo === undefined) return;
    try {
      const found = await this.#read(this.#content);
      // A tag or name may lead to any image: it is what says so.
      if (!found && !/^(?:streams|images)\/refs\//.test(name))
        throw new Wrong(`fsck does not find a change of ${name}`);
    } finally {
      undo();
    }
  }

  /** Whether fsck finds something. @throws Wrong */
  async #read({ dumps, layers }: Content): Promise<boolean> {
    let repository: Repository | undefined;
    try {
      repository = await Repository.open(this.#path);
    } catch {
      return true;
    }
    try {
      const found = await ociFsck(repository, { threads: 0 }).then(
        (result) => !isOciFsckOk(result),
        () => true,
      );
      for (const layer of layers) await checkLayer(repository, layer);
      for (const [tag, expected] of dumps) if (!found) await checkTree(repository, tag, expected, dumps);
      return found;
    } finally {
      repository.close();
    }
  }

  async #prepare(): Promise<Content> {
    rmSync(this.#path, { recursive: true, force: true });
    const { repo } = await Repository.init(this.#path, { algorithm: 'sha256', insecure: true });
    const [dumps, layers] = [new Map<string, string>(), new Set<string>()];
    for (const [index, tag] of TAGS.entries()) {
      const tars = randomLayers(new Random(index + 20), { layers: 2, files: 4, maxSize: 2000 });
      const { reference } = writeLayout(this.#folder, `changed-${tag}`, buildImage(tars));
      await pull(repo, reference, tag, { platform: AMD64, concurrency: 1 });
      const image = OciImage.openRef(repo, tag);
      dumps.set(tag, await dumpOf(repo, tag));
      for (const diffId of image.layerDiffIds()) layers.add(diffId);
    }
    await repo.gc({ threads: 0 });
    repo.close();
    this.#entries = readdirSync(this.#path, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(this.#path, join(entry.parentPath, entry.name)));
    return { dumps, layers: [...layers] };
  }

  /** To the target of another link, to one with another digit, or out of the repository. */
  #changeLink(path: string, random: Random): (() => void) | undefined {
    const original = readlinkSync(path);
    const others = this.#entries
      .map((name) => join(this.#path, name))
      .filter((other) => lstatSync(other).isSymbolicLink() && lstatSync(other).size === original.length)
      .map((other) => readlinkSync(other));
    const digit = original.endsWith('0') ? '1' : '0';
    const target = random.pick([random.pick(others), original.slice(0, -1) + digit, '/etc/passwd', '../../..', 'x']);
    if (target === original) return undefined;
    const point = (to: string): void => {
      rmSync(path);
      symlinkSync(to, path);
    };
    point(target);
    return () => point(original);
  }
}

function changeFile(path: string, random: Random): (() => void) | undefined {
  const original = readFileSync(path);
  const changed = path.endsWith('.json') ? mutateJson(original, random) : mutateBytes(original, random);
  // Other spaces in meta.json say the same.
  if (changed.equals(original) || path.endsWith('.json')) return undefined;
  writeFileSync(path, changed);
  return () => writeFileSync(path, original);
}

async function dumpOf(repository: Repository, tag: string): Promise<string> {
  const image = OciImage.openRef(repository, tag);
  return [...composefs.writeDumpfile(await createFilesystem(repository, image.configDigest))].join('');
}

async function checkLayer(repository: Repository, diffId: string): Promise<void> {
  const hash = createHash('sha256');
  try {
    for await (const piece of layerTar(repository, parseOciDigest(diffId))) hash.update(piece);
  } catch {
    return;
  }
  if (`sha256:${hash.digest('hex')}` !== diffId) throw new Wrong(`layer ${diffId} is written out with other content`);
}

/** What fsck takes for sound reads as it did, or as another tagged image does. */
async function checkTree(
  repository: Repository,
  tag: string,
  expected: string,
  all: ReadonlyMap<string, string>,
): Promise<void> {
  let actual: string;
  try {
    actual = await dumpOf(repository, tag);
  } catch {
    return;
  }
  if (actual !== expected && ![...all.values()].includes(actual)) throw new Wrong(`image ${tag} has another tree`);
}
