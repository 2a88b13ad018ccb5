import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { RepositoryRoot } from '../../../src/composefs/repository/directory/root.js';
import { Repository, type RepositoryConfig } from '../../../src/composefs/repository/index.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../../src/composefs/tree/stat.js';
import { filesBelow } from '../../support/files-below.js';
import { tempDir } from '../../support/paths.js';

export { tempDir };

/** An empty directory, open as that of a repository; closed and gone after the test. */
export function tempRoot(context: TestContext, path: string = tempDir(context)): RepositoryRoot {
  const root = RepositoryRoot.open(path);
  context.after(() => root.close());
  return root;
}

/** An insecure repository that is closed and gone after the test. Default sha512, as the vectors of spec 10 §17.4. */
export async function tempRepository(context: TestContext, config: RepositoryConfig = {}): Promise<Repository> {
  const path = join(tempDir(context), 'repo');
  const { repo } = await Repository.init(path, { algorithm: 'sha512', insecure: true, ...config });
  context.after(() => repo.close());
  return repo;
}

/** The data of spec 10 §17.4: byte i is (((i mod 256) + seed) mod 256) · 17 mod 256. */
export function testData(size: number, seed: number): Buffer {
  const block = Buffer.from(Array.from({ length: 256 }, (_, i) => ((i + seed) % 256) * 17));
  return Buffer.alloc(size, block);
}

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };

/** A tree with one file for each object. */
export function treeOf(...objects: readonly { id: ObjectId; size: number }[]): Directory {
  const root = new Directory(STAT);
  for (const [index, { id, size }] of objects.entries()) {
    const content = { type: 'regular', file: { storage: 'external', id, size } } as const;
    root.insert(byteStringFromText(`file${index}`), new Leaf({ ...STAT, mode: 0o644 }, content));
  }
  return root;
}

export const CONTENT_TYPE = 0x1234_5678_9abc_def0n;

export interface StreamSpec {
  readonly objects?: readonly ObjectId[];
  readonly named?: Readonly<Record<string, ObjectId>>;
  readonly ref?: string;
}

/** A stream that refers to objects and, by names, to other streams. */
export function writeStream(repo: Repository, name: string, spec: StreamSpec = {}): Promise<ObjectId> {
  const writer = repo.createStream(CONTENT_TYPE);
  for (const [refName, id] of Object.entries(spec.named ?? {})) writer.addNamedStreamRef(refName, id);
  for (const id of spec.objects ?? []) writer.writeReference(id);
  return repo.writeStream(writer, name, spec.ref);
}

/** Ids of all objects in a repository. */
export function objectIds(repo: Repository): string[] {
  return filesBelow(repo.objects.objectsPath).map((name) => name.replace('/', ''));
}
