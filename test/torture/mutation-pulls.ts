import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Repository } from '../../src/composefs/index.js';
import { createFilesystem, isOciFsckOk, listRefs, OciImage, ociFsck, pull } from '../../src/index.js';
import { dockerArchive } from '../support/docker-archives.js';
import { AMD64, buildImage, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';
import { Random } from '../support/random.js';
import { randomLayers } from './layouts.js';
import { Wrong } from './mutation-targets.js';
import { mutateBytes, mutateJson, mutateTar } from './mutators.js';

/** Pulls of one repository, before another is made. */
const PULLS_OF_A_REPOSITORY = 50;

/** Pulls of whole images with one thing wrong in them, whose digests were made right again. */
export class MutatedPulls {
  readonly #folder: string;
  readonly #tars = randomLayers(new Random(9), { layers: 2, files: 5, maxSize: 3000 });
  #repository: Repository | undefined;
  #pulls = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  close(): void {
    this.#repository?.close();
    this.#repository = undefined;
  }

  /** @throws what the pull throws; Wrong if it leaves a tag then, or if what it took is not whole. */
  async try(random: Random): Promise<void> {
    const repository = await this.#open();
    const tag = `tag-${this.#pulls}`;
    const reference = this.#write(random);
    try {
      await pull(repository, reference, tag, { platform: AMD64, concurrency: 1, signaturePolicy: this.#policy() });
    } catch (error) {
      if (listRefs(repository).some(([name]) => name === tag)) throw new Wrong(`a failed pull left its tag: ${error}`);
      throw error;
    }
    const result = await ociFsck(repository, { threads: 0 });
    if (!isOciFsckOk(result))
      throw new Wrong(`pulled, but ${JSON.stringify([...result.errors, ...result.repoResult.errors]).slice(0, 400)}`);
    const image = OciImage.openRef(repository, tag);
    if (image.isContainerImage()) await createFilesystem(repository, image.configDigest);
  }

  async #open(): Promise<Repository> {
    if (this.#pulls++ % PULLS_OF_A_REPOSITORY === 0) {
      this.close();
      const path = join(this.#folder, 'pulled');
      rmSync(path, { recursive: true, force: true });
      this.#repository = (await Repository.init(path, { algorithm: 'sha256', insecure: true })).repo;
    }
    if (this.#repository === undefined) throw new Error('no repository');
    return this.#repository;
  }

  #policy(): string {
    const path = join(this.#folder, 'accept.json');
    writeFileSync(path, '{"default":[{"type":"insecureAcceptAnything"}]}');
    return path;
  }

  /** Writes the image somewhere, and returns its reference. */
  #write(random: Random): string {
    const path = join(this.#folder, 'image');
    rmSync(path, { recursive: true, force: true });
    const layout = (image: TestImage): LayoutBuilder => new LayoutBuilder().addImage(image, { tag: 'latest' });
    const compression = random.pick(['none', 'gzip', 'zstd'] as const);
    switch (random.below(8)) {
      case 0:
      case 1: {
        const tars = this.#tars.map((tar) => mutateTar(tar, random));
        return `oci:${layout(buildImage(tars, { compression })).write(path)}:latest`;
      }
      case 2:
        return `oci:${layout(buildImage(this.#tars, { editConfig: (json) => mutateJson(json, random) })).write(path)}:latest`;
      case 3:
        return `oci:${layout(buildImage(this.#tars, { editManifest: (json) => mutateJson(json, random) })).write(path)}:latest`;
      case 4: {
        // Not under its digest any more.
        const builder = layout(buildImage(this.#tars, { compression })).write(path);
        const files = layout(buildImage(this.#tars, { compression })).files();
        const name = random.pick([...files.keys()]);
        const bytes = files.get(name) ?? Buffer.alloc(0);
        writeFileSync(
          join(path, name),
          name.endsWith('.json') ? mutateJson(bytes, random) : mutateBytes(bytes, random),
        );
        return `oci:${builder}:latest`;
      }
      case 5:
        writeFileSync(path, mutateTar(layout(buildImage(this.#tars, { compression })).archive(), random));
        return `oci-archive:${path}:latest`;
      case 6:
        writeFileSync(path, mutateTar(dockerArchive(this.#tars), random));
        return `docker-archive:${path}`;
      default: {
        const image = buildImage(this.#tars, { compression });
        mkdirSync(path);
        writeFileSync(join(path, 'version'), 'Directory Transport Version: 1.1\n');
        writeFileSync(join(path, 'manifest.json'), mutateJson(image.manifest.bytes, random));
        for (const { descriptor, bytes } of [image.config, ...image.layers]) {
          writeFileSync(join(path, descriptor.digest.slice('sha256:'.length)), bytes);
        }
        return `dir:${path}`;
      }
    }
  }
}
