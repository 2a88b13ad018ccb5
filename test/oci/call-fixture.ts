import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Repository } from '../../src/composefs/index.js';
import { OciImage, pull } from '../../src/index.js';
import { manifestIdentifier } from '../../src/oci/store/identifiers.js';
import { tagRef } from '../../src/oci/store/tags.js';
import { TestRegistry } from '../../src/testing/index.js';
import { AMD64, buildImage, LayoutBuilder, spdxArtifact } from '../support/oci-fixtures.js';
import { StoreBuilder } from '../support/store-builder.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { type CallSubjects, type PublicCall, publicCalls } from './public-calls.js';

/** What {@link publicCalls} work on, made in an empty directory. */
export interface CallFixture {
  readonly repo: Repository;
  readonly calls: Readonly<Record<string, PublicCall>>;
  /** Where calls write, but for the repository. */
  readonly output: string;
  close(): Promise<void>;
}

export interface FixtureSize {
  readonly files: number;
  readonly tags: number;
  /** In bytes, of a file beside the others. */
  readonly largeFile: number;
}

/** @param folder an empty directory. */
export async function makeCallFixture(folder: string, { files, tags, largeFile }: FixtureSize): Promise<CallFixture> {
  const { repo } = await Repository.init(join(folder, 'repo'), { algorithm: 'sha256', insecure: true });
  const registry = await TestRegistry.start();
  const entries = [tarDirectory('usr/'), tarDirectory('boot/'), tarDirectory('sysroot/')];
  for (let index = 0; index < files; index++) {
    if (index % 100 === 0) entries.push(tarDirectory(`usr/${index}/`));
    const size = index % 4 === 0 ? 200 : 20;
    entries.push(tarFile(`usr/${index - (index % 100)}/${index}`, `${index} `.repeat(size)));
  }
  entries.push(tarFile('usr/large', Buffer.alloc(largeFile, 'large')));
  const other = buildImage([tarArchive([tarDirectory('usr/'), tarFile('usr/other', 'other')])], {
    compression: 'none',
  });
  const layout = join(folder, 'layout');
  new LayoutBuilder()
    .addImage(buildImage([tarArchive(entries)], { compression: 'none' }), { tag: 'image' })
    .addImage(other, { tag: 'other' })
    .addImage(spdxArtifact(), { tag: 'artifact' })
    .write(layout);
  for (const tag of ['image', 'other', 'artifact']) await pull(repo, `oci:${layout}:${tag}`, tag, { platform: AMD64 });
  const image = OciImage.openRef(repo, 'image');
  for (let index = 0; index < tags; index++) {
    repo.nameStream(manifestIdentifier(image.manifestDigest), tagRef(`tag-${index}`));
  }
  await repo.sync();
  const aside = makeAside(folder, largeFile);
  const calls = await publicCalls({
    ...aside,
    repo,
    image,
    reference: `oci:${layout}:image`,
    other: OciImage.openRef(repo, 'other'),
    largeFile: '/usr/large',
    registryHost: registry.host,
    directory: layout,
  });
  const close = async (): Promise<void> => {
    repo.close();
    await registry.close();
  };
  return { repo, calls, output: aside.output, close };
}

/** The subjects that are not in the repository. @param size in bytes, of a new layer. */
export function makeAside(folder: string, size: number): Pick<CallSubjects, 'newTar' | 'output' | 'store'> {
  const output = join(folder, 'output');
  mkdirSync(output);
  const newTar = tarArchive([tarDirectory('usr/'), tarFile('usr/new', Buffer.alloc(size, 'new'))]);
  const root = join(folder, 'store');
  makeStore(root);
  return { newTar, output, store: { root, image: 'localhost/stored:1' } };
}

/** A store as that of a machine which has pulled for years: one image that can be had, and many records. */
function makeStore(root: string): void {
  const builder = new StoreBuilder(root);
  const files = Array.from({ length: 1000 }, (_, index) => tarFile(`usr/${index}`, `${index} `.repeat(50)));
  const tar = tarArchive([tarDirectory('usr/'), ...files]);
  builder.addImage(buildImage([tar]), [tar], ['localhost/stored:1']);
  for (let index = 0; index < 1000; index++) {
    const id = String(index).padStart(64, '0');
    const digest = `sha256:${id}`;
    builder.layers.push({
      id,
      'diff-digest': digest,
      'diff-size': index,
      compression: 0,
      created: '2026-01-02T03:04:05Z',
    });
    const names = [`localhost/image-${index}:latest`];
    const image = {
      id,
      digest,
      names,
      layer: id,
      'big-data-names': ['manifest', digest],
      created: '2026-01-02T03:04:05Z',
    };
    if (index % 4 === 0) builder.images.push(image);
  }
  builder.write();
}
