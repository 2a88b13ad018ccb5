import { formatSize } from '../../../bytes/format-size.js';

/** What an import stored (spec 40 §14.2). Layers that were there already contribute nothing but their number. */
export interface ImportStats {
  readonly layers: number;
  readonly layersAlreadyPresent: number;
  /** Contents of large files, each occurrence in a layer once. */
  readonly objectsCopied: number;
  readonly objectsReflinked: number;
  readonly objectsHardlinked: number;
  readonly objectsAlreadyPresent: number;
  /** Bytes of the objects above; those already present have none. */
  readonly bytesCopied: number;
  readonly bytesReflinked: number;
  readonly bytesHardlinked: number;
  /** Headers, padding and small files, inside the splitstreams. */
  readonly bytesInlined: number;
}

const EMPTY: ImportStats = {
  layers: 0,
  layersAlreadyPresent: 0,
  objectsCopied: 0,
  objectsReflinked: 0,
  objectsHardlinked: 0,
  objectsAlreadyPresent: 0,
  bytesCopied: 0,
  bytesReflinked: 0,
  bytesHardlinked: 0,
  bytesInlined: 0,
};

export function emptyStats(): ImportStats {
  return EMPTY;
}

/** The sum, field by field. */
export function addStats(a: ImportStats, b: ImportStats): ImportStats {
  return {
    layers: a.layers + b.layers,
    layersAlreadyPresent: a.layersAlreadyPresent + b.layersAlreadyPresent,
    objectsCopied: a.objectsCopied + b.objectsCopied,
    objectsReflinked: a.objectsReflinked + b.objectsReflinked,
    objectsHardlinked: a.objectsHardlinked + b.objectsHardlinked,
    objectsAlreadyPresent: a.objectsAlreadyPresent + b.objectsAlreadyPresent,
    bytesCopied: a.bytesCopied + b.bytesCopied,
    bytesReflinked: a.bytesReflinked + b.bytesReflinked,
    bytesHardlinked: a.bytesHardlinked + b.bytesHardlinked,
    bytesInlined: a.bytesInlined + b.bytesInlined,
  };
}

/** The stats of one object, to be added; `method` as the object store tells it. */
export function objectStats(
  method: 'copied' | 'reflinked' | 'hardlinked' | 'already-present',
  size: number,
): ImportStats {
  switch (method) {
    case 'copied':
      return { ...EMPTY, objectsCopied: 1, bytesCopied: size };
    case 'reflinked':
      return { ...EMPTY, objectsReflinked: 1, bytesReflinked: size };
    case 'hardlinked':
      return { ...EMPTY, objectsHardlinked: 1, bytesHardlinked: size };
    case 'already-present':
      return { ...EMPTY, objectsAlreadyPresent: 1 };
  }
}

/** Objects that were not there before. */
export function newObjects(stats: ImportStats): number {
  return stats.objectsCopied + stats.objectsReflinked + stats.objectsHardlinked;
}

/** All objects of the layers, new or not. */
export function totalObjects(stats: ImportStats): number {
  return newObjects(stats) + stats.objectsAlreadyPresent;
}

/** Bytes of the objects that were not there before. */
export function newBytes(stats: ImportStats): number {
  return stats.bytesCopied + stats.bytesReflinked + stats.bytesHardlinked;
}

/** One line for people; reflinks and hard links are told apart only where there are any. */
export function formatStats(stats: ImportStats): string {
  const { objectsReflinked, objectsHardlinked, objectsCopied, objectsAlreadyPresent } = stats;
  const inlined = `${formatSize(stats.bytesInlined)} inlined`;
  if (objectsReflinked === 0 && objectsHardlinked === 0) {
    const stored = `${formatSize(stats.bytesCopied)} stored`;
    return `${objectsCopied} new + ${objectsAlreadyPresent} already present objects; ${stored}, ${inlined}`;
  }
  const objects: string[] = [];
  const bytes: string[] = [];
  if (objectsReflinked > 0) {
    objects.push(`${objectsReflinked} reflinked`);
    bytes.push(`${formatSize(stats.bytesReflinked)} reflinked`);
  }
  if (objectsHardlinked > 0) {
    objects.push(`${objectsHardlinked} hardlinked`);
    bytes.push(`${formatSize(stats.bytesHardlinked)} hardlinked`);
  }
  objects.push(`${objectsCopied} copied`, `${objectsAlreadyPresent} already present objects`);
  bytes.push(`${formatSize(stats.bytesCopied)} copied`, inlined);
  return `${objects.join(' + ')}; ${bytes.join(', ')}`;
}
