/** The kernel arguments that name the image to boot from (spec 50 §7.2 to §7.5). */

import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import {
  digestSize,
  formatAlgorithm,
  type HashAlgorithm,
  parseAlgorithm,
  veritySuffix,
} from '../../composefs/fsverity/algorithm.js';
import { formatObjectId, type ObjectId, parseObjectId } from '../../composefs/fsverity/object-id.js';
import { ComposefsError, withContext } from '../../errors.js';
import { splitCmdline } from './arguments.js';

/** `composefs=<hex>`: an image of format V2; the length says which algorithm. */
export const KARG_V2 = 'composefs';
/** `composefs.digest=v1-sha256-12:<hex>`: an image of a stated format and algorithm. */
export const KARG_COMPOSEFS_DIGEST = 'composefs.digest';

/** What a digest on the command line says: 1 stands for the formats V0 and V1. */
export type KargVersion = 1 | 2;

/** The value of a kernel argument that names an image, taken apart. */
export interface DigestValue {
  readonly version: KargVersion;
  readonly algorithm: HashAlgorithm;
  /** As it stands there, not checked. */
  readonly hex: string;
}

/**
 * Parses the value of `composefs.digest=` without its `?`: `v1-sha256-12:<hex>` (spec 50 §7.3).
 *
 * @throws ComposefsError `INVALID_KARG`; AlgorithmParseError
 */
export function parseDigestValue(text: string): DigestValue {
  const [descriptor, hex] = splitAt(text, ':');
  if (hex === undefined) throw invalidKarg(`expected '<version>-<hash>-<blocksize>:<hex>', got: ${text}`);
  const [version, rest] = splitAt(descriptor, '-');
  if (rest === undefined) throw invalidKarg(`expected 'v<N>-<hash>-<blocksize>', got: ${descriptor}`);
  if (version !== 'v1' && version !== 'v2') throw invalidKarg(`unsupported format version '${version}'`);
  const algorithm = withContext(`parsing algorithm from '${rest}'`, () => parseAlgorithm(`fsverity-${rest}`));
  return { version: version === 'v1' ? 1 : 2, algorithm, hex };
}

/** The kernel argument for an image; `id` stands in it as it is (spec 50 §7.5). */
export function makeCmdlineComposefs(
  id: string,
  insecure: boolean,
  version: FormatVersion,
  algorithm: HashAlgorithm,
): string {
  const optional = insecure ? '?' : '';
  if (version === 2) return `${KARG_V2}=${optional}${id}`;
  return `${KARG_COMPOSEFS_DIGEST}=${optional}v1-${veritySuffix(algorithm)}:${id}`;
}

/** The image that a kernel command line names, for one hash algorithm. */
export class ComposefsCmdline {
  readonly version: KargVersion;
  readonly algorithm: HashAlgorithm;
  readonly digest: ObjectId;
  /** fs-verity is not required: `?` before the digest. */
  readonly insecure: boolean;

  constructor(version: KargVersion, algorithm: HashAlgorithm, digest: ObjectId, insecure = false) {
    this.version = version;
    this.algorithm = algorithm;
    this.digest = digest;
    this.insecure = insecure;
  }

  /**
   * The first `composefs.digest=` of this algorithm, else the first `composefs=`; undefined without either.
   *
   * @throws ComposefsError `INVALID_KARG` and others if one on the way is malformed, or `composefs=` has the length of
   *   another algorithm.
   */
  static fromCmdline(cmdline: string, algorithm: HashAlgorithm): ComposefsCmdline | undefined {
    const segments = splitCmdline(cmdline);
    for (const segment of segments) {
      const value = argumentValue(segment, KARG_COMPOSEFS_DIGEST);
      if (value === undefined) continue;
      const { text, insecure } = stripOptional(value);
      const parsed = withContext(`parsing ${KARG_COMPOSEFS_DIGEST}= value: ${text}`, () => parseDigestValue(text));
      if (parsed.algorithm !== algorithm) continue;
      const digest = parseHex(KARG_COMPOSEFS_DIGEST, parsed.hex, algorithm);
      return new ComposefsCmdline(parsed.version, algorithm, digest, insecure);
    }
    for (const segment of segments) {
      const value = argumentValue(segment, KARG_V2);
      if (value === undefined) continue;
      const { text, insecure } = stripOptional(value);
      return new ComposefsCmdline(2, algorithm, parseHex(KARG_V2, text, algorithm), insecure);
    }
    return undefined;
  }

  /** The short form for a V2 image, whichever form it was parsed from. */
  toCmdlineArg(): string {
    return makeCmdlineComposefs(this.digest, this.insecure, this.version, this.algorithm);
  }

  /** @throws ComposefsError `WRONG_UKI_DIGEST` unless the digest is one of these. */
  validateDigest(acceptable: readonly ObjectId[]): ObjectId {
    if (acceptable.includes(this.digest)) return this.digest;
    const is = formatObjectId(this.algorithm, this.digest);
    const expected = acceptable.map((id) => formatObjectId(this.algorithm, id)).join(', ');
    const message = `The UKI has the wrong composefs digest (is '${is}', should be one of [${expected}])`;
    throw new ComposefsError('WRONG_UKI_DIGEST', message, {
      hint: '`cfsctl boot check` of the image looks for what differs',
    });
  }
}

/** One argument among those that `composefs-setup-root` tries in turn. */
export interface ImageArgument {
  readonly algorithm: HashAlgorithm;
  /** In lower case, as images are named. */
  readonly digest: ObjectId;
  readonly insecure: boolean;
}

/**
 * Every image that a command line names, of either key and algorithm, in order (spec 50 §13.2).
 *
 * @throws ComposefsError `INVALID_KARG` and others if any of them is malformed.
 */
export function imageArguments(cmdline: string): ImageArgument[] {
  const found: ImageArgument[] = [];
  for (const segment of splitCmdline(cmdline)) {
    const detailed = argumentValue(segment, KARG_COMPOSEFS_DIGEST);
    if (detailed !== undefined) {
      const { text, insecure } = stripOptional(detailed);
      const { algorithm, hex } = withContext(`parsing ${KARG_COMPOSEFS_DIGEST}= value: ${text}`, () =>
        parseDigestValue(text),
      );
      found.push({ algorithm, digest: parseHex(KARG_COMPOSEFS_DIGEST, hex, algorithm), insecure });
      continue;
    }
    const short = argumentValue(segment, KARG_V2);
    if (short === undefined) continue;
    const { text, insecure } = stripOptional(short);
    const algorithm = algorithmOfLength(text);
    found.push({ algorithm, digest: parseHex(KARG_V2, text, algorithm), insecure });
  }
  return found;
}

function algorithmOfLength(hex: string): HashAlgorithm {
  if (hex.length === 2 * digestSize('sha512')) return 'sha512';
  if (hex.length === 2 * digestSize('sha256')) return 'sha256';
  throw invalidKarg(`invalid ${KARG_V2}= digest length: ${hex.length}`);
}

function parseHex(key: string, hex: string, algorithm: HashAlgorithm): ObjectId {
  const expected = `expected ${2 * digestSize(algorithm)} for ${formatAlgorithm(algorithm)}`;
  return withContext(`parsing ${key}= hash: got ${hex.length} hex chars, ${expected}`, () =>
    parseObjectId(algorithm, hex),
  );
}

function argumentValue(segment: string, key: string): string | undefined {
  return segment.startsWith(`${key}=`) ? segment.slice(key.length + 1) : undefined;
}

function stripOptional(value: string): { text: string; insecure: boolean } {
  const insecure = value.startsWith('?');
  return { text: insecure ? value.slice(1) : value, insecure };
}

function splitAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function invalidKarg(message: string): ComposefsError {
  return new ComposefsError('INVALID_KARG', message);
}
