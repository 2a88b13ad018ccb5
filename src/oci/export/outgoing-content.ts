import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns, Turns } from '../../threads/turns.js';
import { openLayerSteps, streamContent, verifiedLayerContent } from '../layer/layer-content.js';
import type { StoredContent } from '../layer/write-layer.js';
import type { OutgoingLayer } from './outgoing-image.js';

const readAsync = promisify(read);
const CHUNK_SIZE = 1024 * 1024;

/** The bytes of a layer as it goes out, from `start` on. */
export function outgoingContent(repo: ReadableRepository, { descriptor, content }: OutgoingLayer, start = 0): Content {
  const { digest, size } = descriptor;
  return 'file' in content
    ? readFile(content.file.fd, digest, start, size)
    : from(start, storedContent(repo, content.stored));
}

/** What comes before is read, and checked, too. */
async function* from(start: number, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let position = 0;
  for await (const chunk of content) {
    const rest = chunk.subarray(Math.max(0, start - position));
    position += chunk.length;
    if (rest.length > 0) yield rest;
  }
}

/** A file that may be longer meanwhile than it was is read as far as it was. */
async function* readFile(fd: number, name: string, start: number, size: number): AsyncGenerator<Buffer> {
  for (let position = start; position < size; ) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, size - position));
    const { bytesRead } = await readAsync(fd, chunk, 0, chunk.length, position);
    if (bytesRead === 0) throw new ComposefsError('FILE_CHANGED', `the file made for ${name} became shorter`);
    position += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/**
 * The bytes of what is stored.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` after the last of them.
 */
export async function* storedContent(
  repo: ReadableRepository,
  { verity, contentType, digest }: StoredContent,
): AsyncGenerator<Buffer> {
  const { objects } = repo;
  const reader = await runInTurns(openLayerSteps(objects, verity, contentType));
  const turns = new Turns();
  try {
    const content =
      digest === undefined ? streamContent(objects, reader) : verifiedLayerContent(objects, reader, digest);
    for (const chunk of content) {
      yield chunk;
      if (turns.isOver()) await turns.next();
    }
  } finally {
    reader.close();
  }
}

/** Bytes in pieces, each used up when the next is asked for. */
export type Content = Iterable<Buffer> | AsyncIterable<Buffer>;
