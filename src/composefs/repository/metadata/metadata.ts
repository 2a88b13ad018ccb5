import type { FormatConfig, FormatVersion } from '../../erofs/format/constants.js';
import { AlgorithmParseError, formatAlgorithm, type HashAlgorithm, parseAlgorithm } from '../../fsverity/algorithm.js';
import { RepositoryOpenError } from '../directory/open-error.js';
import { type JsonNode, parseStrictJson } from './json-nodes.js';

/** The file at the root of a repository that says what it is. */
export const METADATA_FILENAME = 'meta.json';

/** The highest `version` that is understood; also what is written. */
export const REPOSITORY_FORMAT_VERSION = 1;

/** Feature flag: images of this repository have format V1 by default. */
export const V1_EROFS_FEATURE = 'v1_erofs';

/** Nobody's `meta.json` comes near this; anything larger is not ours. */
export const MAX_METADATA_SIZE: number = 1024 * 1024;

/** Features that `meta.json` names, by what somebody may do who does not know them: everything, read, nothing. */
export interface RepositoryFeatures {
  readonly compatible: readonly string[];
  readonly readOnlyCompatible: readonly string[];
  readonly incompatible: readonly string[];
}

/** The content of `meta.json` (spec 10 §7.1). */
export interface RepositoryMetadata {
  readonly version: number;
  readonly algorithm: HashAlgorithm;
  readonly features: RepositoryFeatures;
  /** As stored; what it means is `ReadableRepository.formatConfig`. */
  readonly erofsFormats: FormatConfig;
}

const FIELD_ABSENT: FormatConfig = { default: 2, extra: [] };

/** The metadata of a new repository. */
export function newMetadata(
  algorithm: HashAlgorithm,
  erofsFormats: FormatConfig = { default: 1, extra: [] },
): RepositoryMetadata {
  const readOnlyCompatible = erofsFormats.default === 1 ? [V1_EROFS_FEATURE] : [];
  return {
    version: REPOSITORY_FORMAT_VERSION,
    algorithm,
    features: { compatible: [], readOnlyCompatible, incompatible: [] },
    erofsFormats: { default: erofsFormats.default, extra: sortedVersions(erofsFormats.extra) },
  };
}

/** The exact text of the file (spec 10 §7.2). */
export function serializeMetadata(metadata: RepositoryMetadata): string {
  const { version, algorithm, features, erofsFormats } = metadata;
  const extra = sortedVersions(erofsFormats.extra);
  const document = {
    version,
    algorithm: formatAlgorithm(algorithm),
    features: {
      compatible: features.compatible,
      'read-only-compatible': features.readOnlyCompatible,
      incompatible: features.incompatible,
    },
    erofs_formats: { default: erofsFormats.default, ...(extra.length > 0 && { extra }) },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Parses the file strictly: known keys once and of the right type, unknown keys ignored (spec 10 §7.3).
 *
 * @throws RepositoryOpenError `metadata-invalid`, with the reason as its cause.
 */
export function parseMetadata(bytes: Uint8Array): RepositoryMetadata {
  try {
    if (bytes.length > MAX_METADATA_SIZE) throw new SyntaxError(`larger than ${MAX_METADATA_SIZE} bytes`);
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return metadataFromJson(parseStrictJson(text));
  } catch (cause) {
    throw new RepositoryOpenError('metadata-invalid', 'failed to parse meta.json', { cause });
  }
}

/** True if both files would say the same in every field. */
export function sameMetadata(a: RepositoryMetadata, b: RepositoryMetadata): boolean {
  return serializeMetadata(a) === serializeMetadata(b);
}

/** What the features of a repository let this program do. */
export type RepositoryAccess =
  | { readonly mode: 'read-write' }
  | { readonly mode: 'read-only'; readonly unknownFeatures: readonly string[] };

/**
 * Checks that this program can use the repository (spec 10 §7.4).
 *
 * @param expected what the caller insists on; undefined takes the repository's own algorithm.
 * @throws RepositoryOpenError `unsupported-version`, `algorithm-mismatch` or `incompatible-features`.
 */
export function checkCompatible(metadata: RepositoryMetadata, expected?: HashAlgorithm): RepositoryAccess {
  const { version, algorithm, features } = metadata;
  if (version > REPOSITORY_FORMAT_VERSION) {
    throw new RepositoryOpenError(
      'unsupported-version',
      `unsupported repository format version ${version} (this tool supports up to ${REPOSITORY_FORMAT_VERSION})`,
    );
  }
  if (expected !== undefined && algorithm !== expected) {
    throw new RepositoryOpenError(
      'algorithm-mismatch',
      `repository algorithm ${formatAlgorithm(algorithm)} does not match expected ${formatAlgorithm(expected)}`,
    );
  }
  if (features.incompatible.length > 0) {
    throw new RepositoryOpenError(
      'incompatible-features',
      `repository requires unknown incompatible features: ${quoteList(features.incompatible)}`,
      { hint: 'use a newer version of this program' },
    );
  }
  const unknownFeatures = features.readOnlyCompatible.filter((feature) => feature !== V1_EROFS_FEATURE);
  return unknownFeatures.length > 0 ? { mode: 'read-only', unknownFeatures } : { mode: 'read-write' };
}

/** The formats in which images are made (spec 10 §7.5). */
export function effectiveFormats(metadata: RepositoryMetadata): FormatConfig {
  const { erofsFormats, features } = metadata;
  if (erofsFormats.default !== FIELD_ABSENT.default || erofsFormats.extra.length > 0) return erofsFormats;
  // Repositories from before the field existed say V1 by the flag alone.
  if (features.readOnlyCompatible.includes(V1_EROFS_FEATURE)) return { default: 1, extra: [] };
  return FIELD_ABSENT;
}

/** `["a", "b"]`, as the reference prints lists. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`;
}

function metadataFromJson(root: JsonNode): RepositoryMetadata {
  const object = expectObject(root, 'document');
  const version = required(object, 'version');
  const algorithm = required(object, 'algorithm');
  const features = optional(object, 'features');
  const formats = optional(object, 'erofs_formats');
  return {
    version: expectUnsigned32(version, 'version'),
    algorithm: expectAlgorithm(algorithm),
    features: featuresFromJson(features),
    erofsFormats: formats === undefined ? FIELD_ABSENT : formatsFromJson(formats),
  };
}

function featuresFromJson(node: JsonNode | undefined): RepositoryFeatures {
  if (node === undefined) return { compatible: [], readOnlyCompatible: [], incompatible: [] };
  const object = expectObject(node, 'features');
  const list = (key: string): string[] => {
    const value = optional(object, key);
    return value === undefined ? [] : expectArray(value, key).map((item) => expectString(item, key));
  };
  return {
    compatible: list('compatible'),
    readOnlyCompatible: list('read-only-compatible'),
    incompatible: list('incompatible'),
  };
}

function formatsFromJson(node: JsonNode): FormatConfig {
  const object = expectObject(node, 'erofs_formats');
  const extra = optional(object, 'extra');
  return {
    default: expectFormatVersion(required(object, 'default'), 'default'),
    extra: sortedVersions(
      extra === undefined ? [] : expectArray(extra, 'extra').map((item) => expectFormatVersion(item, 'extra')),
    ),
  };
}

type JsonMembers = ReadonlyMap<string, readonly JsonNode[]>;

function optional(members: JsonMembers, key: string): JsonNode | undefined {
  const values = members.get(key);
  if (values !== undefined && values.length > 1) throw new SyntaxError(`duplicate field \`${key}\``);
  return values?.[0];
}

function required(members: JsonMembers, key: string): JsonNode {
  const value = optional(members, key);
  if (value === undefined) throw new SyntaxError(`missing field \`${key}\``);
  return value;
}

function expectObject(node: JsonNode, what: string): JsonMembers {
  if (node.kind !== 'object') throw new SyntaxError(`${what} must be an object`);
  return node.members;
}

function expectArray(node: JsonNode, what: string): readonly JsonNode[] {
  if (node.kind !== 'array') throw new SyntaxError(`${what} must be an array`);
  return node.items;
}

function expectString(node: JsonNode, what: string): string {
  if (node.kind !== 'string') throw new SyntaxError(`${what} must be a string`);
  return node.value;
}

function expectUnsigned32(node: JsonNode, what: string): number {
  const value = node.kind === 'number' && /^[0-9]+$/.test(node.text) ? Number(node.text) : Number.NaN;
  if (!(value <= 0xffffffff)) throw new SyntaxError(`${what} must be an unsigned 32-bit integer`);
  return value;
}

function expectFormatVersion(node: JsonNode, what: string): FormatVersion {
  const value = expectUnsigned32(node, what);
  if (value !== 0 && value !== 1 && value !== 2) throw new SyntaxError(`${what}: unknown EROFS format ${value}`);
  return value;
}

function expectAlgorithm(node: JsonNode): HashAlgorithm {
  try {
    return parseAlgorithm(expectString(node, 'algorithm'));
  } catch (error) {
    if (error instanceof AlgorithmParseError) throw new SyntaxError(error.message, { cause: error });
    throw error;
  }
}

function sortedVersions(versions: readonly FormatVersion[]): FormatVersion[] {
  return [...new Set(versions)].sort();
}
