/** An SELinux policy: which label belongs to which path (spec 50 §3.3). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { compilePattern } from './pattern/compile-pattern.js';
import type { PatternNode } from './pattern/pattern-node.js';
import { type Beginning, PatternSet } from './pattern/pattern-set.js';
import { PatternSyntaxError, UntranslatableError } from './pattern/syntax-error.js';
import type { PolicySource } from './policy-source.js';
import { type ContextSpec, parseContextSpecs, parseSelinuxConfig, parseSubstitutions } from './policy-text.js';

/** A path, or the beginning of one, for which the work is done. */
export type PolicyPath = Beginning;

/** The char of a file type in what patterns are matched against (spec 50 §3.4). */
export type TypeCode = 'b' | 'c' | 'd' | 'p' | 'l' | 's' | '-';

/** In this order: what comes later wins. */
const SPEC_FILES = ['file_contexts', 'file_contexts.local', 'file_contexts.homedirs'];
const SUBSTITUTION_FILES = ['file_contexts.subs', 'file_contexts.subs_dist'];

/** Real policies have 6,000. */
const SPECS_MAX = 500_000;
/** Paths are not longer than 4096 bytes. */
const PATTERN_LENGTH_MAX = 65_536;

/** PATH_MAX. */
const ALIAS_LENGTH_MAX = 4096;

const UNSUPPORTED_HINT =
  'Patterns may have everything that regular expressions have, and lookarounds, but no back references, recursion, ' +
  'atomic groups or possessive quantifiers.';

/** The policy that an image is configured for; undefined if there is none. */
export function readPolicy(source: PolicySource): Policy | undefined {
  const config = source.readConfig();
  const name = config && parseSelinuxConfig(config);
  if (name === undefined) return undefined;
  return withContext('Building SELinux policy', () => new Policy((file) => source.readPolicyFile(name, file)));
}

export class Policy {
  readonly #patterns: PatternSet;
  /** By pattern. */
  readonly #labels: (ByteString | undefined)[] = [];
  readonly #aliases = new Map<ByteString, ByteString>();
  /** Paths that are longer need not be looked up. */
  #aliasLengthMax = 0;

  /**
   * @param read gives the content of a file of the policy, undefined if it is not there.
   * @throws ComposefsError `INVALID_SELINUX_POLICY`, `UNSUPPORTED_SELINUX_PATTERN`, `SELINUX_POLICY_TOO_LARGE`, with the file
   *   and the line.
   */
  constructor(read: (file: string) => Buffer | undefined) {
    const specs: ContextSpec[] = [];
    for (const file of SPEC_FILES) {
      const bytes = read(file);
      if (bytes !== undefined) withContext(`SELinux spec file ${file}`, () => addSpecs(specs, bytes, file));
      else if (file === SPEC_FILES[0]) throw missingFile();
    }
    for (const file of SUBSTITUTION_FILES) {
      const bytes = read(file);
      if (bytes !== undefined) withContext(`SELinux subs file ${file}`, () => this.#addAliases(bytes));
    }
    for (const { context } of specs) {
      this.#labels.push(context === '<<none>>' ? undefined : byteStringFromText(context));
    }
    this.#patterns = new PatternSet(compileSpecs(specs));
  }

  /** The path of these bytes. */
  path(bytes: ByteString): PolicyPath {
    return this.#patterns.extend(this.#patterns.empty, bytes);
  }

  /** A path with more bytes at its end. */
  extend(path: PolicyPath, bytes: ByteString): PolicyPath {
    return this.#patterns.extend(path, bytes);
  }

  /** What a path is an alias of. */
  aliased(path: PolicyPath): PolicyPath | undefined {
    if (path.text.length > this.#aliasLengthMax) return undefined;
    const original = this.#aliases.get(path.text);
    return original === undefined ? undefined : this.path(original);
  }

  /**
   * The label of what has that path and type; undefined: none.
   *
   * @throws ComposefsError `SELINUX_POLICY_TOO_COMPLEX`
   */
  label(path: PolicyPath, type: TypeCode): ByteString | undefined {
    const match = this.#patterns.lastMatch(this.#patterns.extend(path, type as ByteString));
    return match === undefined ? undefined : this.#labels[match];
  }

  #addAliases(bytes: Buffer): void {
    for (const [alias, original] of parseSubstitutions(bytes)) {
      if (alias.length > ALIAS_LENGTH_MAX || original.length > ALIAS_LENGTH_MAX) {
        throw new ComposefsError('SELINUX_POLICY_TOO_LARGE', `an alias is longer than ${ALIAS_LENGTH_MAX} characters`);
      }
      const path = byteStringFromText(alias);
      this.#aliases.set(path, byteStringFromText(original));
      this.#aliasLengthMax = Math.max(this.#aliasLengthMax, path.length);
    }
  }
}

function addSpecs(specs: ContextSpec[], bytes: Buffer, file: string): void {
  for (const spec of parseContextSpecs(bytes, file)) {
    if (specs.length === SPECS_MAX) {
      throw new ComposefsError('SELINUX_POLICY_TOO_LARGE', `the policy has more than ${SPECS_MAX} rules`);
    }
    specs.push(spec);
  }
}

/** One after the other, since their trees are large. */
function* compileSpecs(specs: readonly ContextSpec[]): Generator<PatternNode> {
  for (const spec of specs) yield compileSpec(spec);
}

function compileSpec({ file, line, pattern }: ContextSpec): PatternNode {
  const place = `${file}, line ${line}`;
  if (pattern.length > PATTERN_LENGTH_MAX) {
    const message = `${place}: a pattern of ${pattern.length} characters is longer than ${PATTERN_LENGTH_MAX}`;
    throw new ComposefsError('SELINUX_POLICY_TOO_LARGE', message);
  }
  try {
    return compilePattern(pattern);
  } catch (error) {
    const shown = pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern;
    if (error instanceof PatternSyntaxError) {
      const message = `${place}: Compiling PCRE2 regex: ${shown}: ${error.message}`;
      throw new ComposefsError('INVALID_SELINUX_POLICY', message);
    }
    if (error instanceof UntranslatableError) {
      const message = `${place}: no automaton can do what the pattern ${shown} asks for: ${error.message}`;
      throw new ComposefsError('UNSUPPORTED_SELINUX_PATTERN', message, { hint: UNSUPPORTED_HINT });
    }
    throw error;
  }
}

function missingFile(): ComposefsError {
  return new ComposefsError('INVALID_SELINUX_POLICY', 'SELinux policy is missing mandatory file_contexts file');
}
