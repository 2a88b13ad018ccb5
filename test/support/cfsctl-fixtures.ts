import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestRepository } from './cfsctl.js';
import { fxOci, LayoutBuilder } from './oci-fixtures.js';

/** The fixtures of spec 70 G2 for tests of the command. Those that take commands are made once and then copied. */
export class CfsctlFixtures {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'composefs-oci-test-cfsctl-'));
  readonly #made = new Map<string, TestRepository>();
  #count = 0;

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A path at which nothing is. */
  path(name = 'entry'): string {
    this.#count += 1;
    return join(this.directory, `${name}-${this.#count}`);
  }

  /** An empty directory. */
  emptyDirectory(): string {
    const path = this.path('empty');
    mkdirSync(path);
    return path;
  }

  /** FX-ROOTFS */
  rootfs(): string {
    const root = this.path('rootfs');
    const files = {
      'usr/bin/hello': 'x'.repeat(131072),
      'usr/lib/readme.txt': 'test fixture\n',
      'etc/hostname': 'integration-test\n',
    };
    for (const directory of ['usr/bin', 'usr/lib', 'etc']) mkdirSync(join(root, directory), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
    return root;
  }

  /** FX-OCI: the layout directory. */
  oci(): string {
    return new LayoutBuilder().addImage(fxOci()).write(this.path('layout'));
  }

  /** FX-REPO, or one of other `init` arguments. */
  repo(...initArgs: readonly string[]): TestRepository {
    return this.#copy(`repo ${initArgs.join(' ')}`, (parent) => TestRepository.create(parent, ...initArgs));
  }

  /** FX-NAMED */
  named(): TestRepository {
    return this.#copy('named', (parent) => {
      const repository = TestRepository.create(parent);
      repository.ok('create-image', this.rootfs(), 'my-image');
      return repository;
    });
  }

  /** FX-PULLED, or the same in a repository of other `init` arguments. */
  pulled(...initArgs: readonly string[]): TestRepository {
    return this.#copy(`pulled ${initArgs.join(' ')}`, (parent) => {
      const repository = TestRepository.create(parent, ...initArgs);
      repository.ok('oci', 'pull', `oci:${this.oci()}`, 'test-image');
      return repository;
    });
  }

  #copy(key: string, make: (parent: string) => TestRepository): TestRepository {
    let original = this.#made.get(key);
    if (original === undefined) {
      const parent = this.path('original');
      mkdirSync(parent);
      original = make(parent);
      this.#made.set(key, original);
    }
    const path = this.path('repo');
    cpSync(original.path, path, { recursive: true, verbatimSymlinks: true });
    return new TestRepository(path);
  }
}

/** CORRUPT(R): other bytes in the first object. */
export function corruptFirstObject(repository: TestRepository): void {
  const objects = join(repository.path, 'objects');
  for (const directory of readdirSync(objects).sort()) {
    const [name] = readdirSync(join(objects, directory)).sort();
    if (name === undefined) continue;
    const path = join(objects, directory, name);
    rmSync(path);
    writeFileSync(path, 'CORRUPTED DATA');
    return;
  }
}
