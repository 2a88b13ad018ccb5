import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestRegistry } from '../../src/testing/index.js';
import { buildImage } from '../support/oci-fixtures.js';
import type { Random } from '../support/random.js';
import { sha256 } from '../support/sha256.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { type Command, mustRun } from './command.js';
import { type Layout, type LayoutShape, randomLayers, recompressed, writeLayout } from './layouts.js';

/** A command that changes a repository, and what it starts from. */
export interface Verb extends Command {
  readonly name: string;
  /** Nothing is there yet if undefined. */
  readonly start: Start | undefined;
  /** The error that is right when it is run a second time. */
  readonly doneAlready?: RegExp;
}

/** Repositories to start from; each is made when it is first wanted. */
export type Start = 'empty' | 'one' | 'two' | 'garbage' | 'old' | 'plain';

const PULL = ['oci', 'pull', '--quiet'];
const SHAPE: LayoutShape = { layers: 3, files: 60, maxSize: 60_000 };

/** The verbs, their images, and the repositories that they start from. */
export class Verbs {
  readonly #folder: string;
  readonly #starts = new Map<Start, Promise<string>>();
  readonly image: Layout;
  readonly other: Layout;
  /** {@link image} with uncompressed layers: the same config, another manifest. */
  readonly plain: Layout;
  readonly layer: string;
  readonly layerDigest: string;
  readonly tree: string;
  readonly registry: TestRegistry;

  private constructor(folder: string, random: Random, registry: TestRegistry, shape: LayoutShape) {
    this.#folder = folder;
    this.registry = registry;
    const tars = randomLayers(random, shape);
    const image = buildImage(tars);
    this.image = writeLayout(folder, 'image', image);
    this.plain = writeLayout(folder, 'plain', recompressed(tars, image));
    this.other = writeLayout(folder, 'other', buildImage(randomLayers(random, { ...shape, layers: 2 })));
    this.tree = join(folder, 'tree');
    mkdirSync(join(this.tree, 'usr'), { recursive: true });
    const files = Array.from({ length: shape.files }, () => random.bytes(random.below(shape.maxSize)));
    for (const [index, data] of files.entries()) writeFileSync(join(this.tree, 'usr', `f${index}`), data);
    // Other content than the tree's, or each would find the other's objects.
    const entries = files.map((data, index) => tarFile(`usr/f${index}`, Buffer.concat([data, Buffer.of(1)])));
    const tar = tarArchive([tarDirectory('usr/'), ...entries]);
    this.layer = join(folder, 'layer.tar');
    writeFileSync(this.layer, tar);
    this.layerDigest = `sha256:${sha256(tar)}`;
    registry.addLayout('image', this.image.path, 'latest');
  }

  static async make(folder: string, random: Random, shape: LayoutShape = SHAPE): Promise<Verbs> {
    const registry = await TestRegistry.start();
    return new Verbs(folder, random, registry, shape);
  }

  async close(): Promise<void> {
    await this.registry.close();
  }

  /** All verbs, those first in which faults were found first. */
  all(): Verb[] {
    const digest = this.image.image.manifest.descriptor.digest;
    return [
      { name: 'gc', start: 'garbage', args: ['gc'] },
      { name: 'pull', start: 'empty', ...this.pull('a') },
      { name: 'import-layer', start: 'one', ...this.importLayer('layer') },
      { name: 'retag', start: 'two', args: ['oci', 'tag', digest, 'b'] },
      { name: 'pull-same-config', start: 'plain', ...this.pull('a') },
      { name: 'pull-registry', start: 'one', args: [...PULL, '--tls-verify=false', this.registryReference, 'a'] },
      { name: 'create-image', start: 'one', args: ['create-image', this.tree, 'made'] },
      { name: 'untag', start: 'two', args: ['oci', 'untag', 'a'], doneAlready: /not found|no such/i },
      { name: 'tag', start: 'two', args: ['oci', 'tag', digest, 'c'] },
      { name: 'pull-second', start: 'one', ...this.pull('a') },
      { name: 'init', start: undefined, args: ['init', '--insecure'] },
      { name: 'reset-metadata', start: 'two', args: ['init', '--insecure', '--reset-metadata'] },
      { name: 'upgrade', start: 'old', args: ['--hash', 'sha512', 'oci', 'images'] },
    ];
  }

  get registryReference(): string {
    return `docker://${this.registry.host}/image:latest`;
  }

  pull(tag: string, layout: Layout = this.image): Command {
    return { args: [...PULL, layout.reference, tag] };
  }

  importLayer(name: string): Command {
    return { args: ['oci', 'import-layer', this.layerDigest, name], input: this.layer };
  }

  /** A fresh copy of a starting point. */
  async copy(start: Start | undefined, to: string): Promise<void> {
    rmSync(to, { recursive: true, force: true });
    if (start !== undefined) copyRepository(await this.start(start), to);
  }

  /** The starting point itself: not to be changed. */
  start(start: Start): Promise<string> {
    let made = this.#starts.get(start);
    if (made === undefined) {
      made = this.#make(start);
      this.#starts.set(start, made);
    }
    return made;
  }

  async #make(start: Start): Promise<string> {
    const path = join(this.#folder, `start-${start}`);
    const steps = async (from: Start | undefined, ...commands: readonly Command[]): Promise<void> => {
      await this.copy(from, path);
      for (const command of commands) await mustRun(path, command);
    };
    switch (start) {
      case 'empty':
        await steps(undefined, { args: ['init', '--insecure'] });
        break;
      case 'one':
        await steps('empty', this.pull('b', this.other));
        break;
      case 'two':
        await steps('one', this.pull('a'));
        break;
      case 'plain':
        await steps('one', this.pull('p', this.plain));
        break;
      case 'garbage':
        await steps(
          'two',
          { args: ['oci', 'untag', 'a'] },
          { args: ['oci', 'import-layer', this.layerDigest], input: this.layer },
        );
        break;
      case 'old':
        await steps('two');
        rmSync(join(path, 'meta.json'));
    }
    return path;
  }
}

export function copyRepository(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}
