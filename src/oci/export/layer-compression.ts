import type { CompressionChoice } from '../../compression/compress.js';
import type { CompressionFormat } from '../../compression/decompress.js';
import type { Descriptor } from '../model/descriptor.js';

/** How layers are compressed whose blobs were not kept: in the format that the manifest says they had, or in another. */
export type Recompression = 'same' | 'gzip' | 'zstd' | 'none';

const OCI_SUFFIX = /\+(gzip|zstd)$/;
const DOCKER_SUFFIX = /\.tar\.(gzip|zstd)$/;
/** What zstd:chunked and eStargz say of a blob is true of no other. */
const BLOB_ANNOTATIONS =
  /^(?:io\.github\.containers\.zstd-chunked\.|containerd\.io\/snapshot\/stargz\/|io\.containers\.estargz\.)/;

/** The compression that a layer gets. A level goes for those that have one, unless it is for none of them. */
export function layerCompression(
  { mediaType }: Descriptor,
  recompression: Recompression,
  level: number | undefined,
): CompressionChoice {
  const format = recompression === 'same' ? formatOf(mediaType) : recompression;
  return { format, level: format === 'none' && recompression === 'same' ? undefined : level };
}

function formatOf(mediaType: string): CompressionFormat {
  const [, format] = OCI_SUFFIX.exec(mediaType) ?? DOCKER_SUFFIX.exec(mediaType) ?? [];
  return format === 'gzip' || format === 'zstd' ? format : 'none';
}

/** The media type of the same kind of layer, in another compression. */
export function compressedMediaType(mediaType: string, format: CompressionFormat): string {
  const isDocker = mediaType.startsWith('application/vnd.docker.');
  const plain = isDocker ? mediaType.replace(DOCKER_SUFFIX, '.tar') : mediaType.replace(OCI_SUFFIX, '');
  if (format === 'none') return plain;
  return isDocker ? `${plain}.${format}` : `${plain}+${format}`;
}

/** Whether an annotation of a layer still holds for its content in another blob. */
export function isContentAnnotation(key: string): boolean {
  return !BLOB_ANNOTATIONS.test(key);
}
