import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Steps } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import { type EntryReader, readTarEntries } from './tar-entry.js';

/** Sizes and counts of a stored layer; also the shape of its JSON, keys in this order (spec 40 §8, §14.2). */
export interface LayerInfo {
  readonly diffId: OciDigest;
  /** The layer's splitstream. */
  readonly verity: ObjectId;
  /** Bytes of the uncompressed tar. */
  readonly size: number;
  /** Tar entries: hard links, whiteouts, directories included; extension headers belong to theirs. */
  readonly entryCount: number;
  readonly splitstream: SplitstreamInfo;
}

/** How a layer is stored. */
export interface SplitstreamInfo {
  /** Distinct objects. */
  readonly externalObjects: number;
  /** Bytes of all files that are objects, those with equal content counted each. */
  readonly externalSize: number;
  readonly inlineSize: number;
}

/** What {@link layerInfoSteps} needs of a splitstream reader. */
export interface LayerReader extends EntryReader {
  readonly totalSize: number;
  readonly objectRefs: readonly ObjectId[];
}

/** Walks the entries of a layer; `reader` is at the beginning. */
export function* layerInfoSteps(diffId: OciDigest, verity: ObjectId, reader: LayerReader): Steps<LayerInfo> {
  let entryCount = 0;
  let externalSize = 0;
  for (const { item, sparse } of readTarEntries(reader)) {
    yield;
    entryCount++;
    if (item.type !== 'leaf' || item.content.type !== 'regular') continue;
    // Of a sparse file only the data are part of the tar.
    if (item.content.file.storage === 'external') externalSize += sparse?.dataSize ?? item.content.file.size;
  }
  return {
    diffId,
    verity,
    size: reader.totalSize,
    entryCount,
    splitstream: {
      externalObjects: new Set(reader.objectRefs).size,
      externalSize,
      inlineSize: Math.max(0, reader.totalSize - externalSize),
    },
  };
}
