import type { MountRestrictions } from '../../composefs/index.js';
import { failuresOf, ToolFailure } from './tool-failure.js';

/** The `-o` options of mount.composefs (spec 50 §20). */
export interface MountComposefsOptions extends MountRestrictions {
  readonly basedirs: readonly string[];
  /** Hex; empty: verity is required, and any image will do. */
  readonly digest: string | undefined;
  readonly verity: 'disabled' | 'required' | 'try';
  readonly upper: { readonly upperdir: string; readonly workdir: string } | undefined;
  readonly idmap: string | undefined;
  readonly readOnly: boolean;
}

const { errx } = failuresOf('mount.composefs');

const WITH_VALUE: ReadonlySet<string> = new Set(['basedir', 'digest', 'upperdir', 'workdir', 'idmap']);
const FLAGS: ReadonlySet<string> = new Set(['verity', 'tryverity', 'ro', 'rw']);
/** Ours: the C tool refuses these, though mount(8) hands them on. */
const RESTRICTING: ReadonlyMap<string, MountRestrictions> = new Map([
  ['nosuid', { nosuid: true }],
  ['suid', { nosuid: false }],
  ['nodev', { nodev: true }],
  ['dev', { nodev: false }],
  ['noexec', { noexec: true }],
  ['exec', { noexec: false }],
]);

/**
 * @param text undefined: no `-o` was given.
 * @throws ToolFailure
 */
export function parseMountOptions(text: string | undefined, usage: string): MountComposefsOptions {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  let readOnly = false;
  let restrictions: MountRestrictions = {};
  for (const { key, value } of text === undefined ? [] : splitOptions(text)) {
    if (WITH_VALUE.has(key)) {
      if (value === undefined) throw errx(`No value specified for ${key} option\n`);
      values.set(key, value);
    } else if (FLAGS.has(key)) {
      flags.add(key);
      if (key === 'ro' || key === 'rw') readOnly = key === 'ro';
    } else if (RESTRICTING.has(key)) {
      restrictions = { ...restrictions, ...RESTRICTING.get(key) };
    } else {
      throw errx(`Unsupported option ${key}\n`);
    }
  }
  const digest = values.get('digest');
  const isRequired = flags.has('verity') || digest !== undefined;
  return {
    basedirs: parseBasedir(values.get('basedir'), usage),
    digest,
    verity: isRequired ? 'required' : flags.has('tryverity') ? 'try' : 'disabled',
    upper: upperLayer(values.get('upperdir'), values.get('workdir')),
    idmap: values.get('idmap'),
    readOnly,
    ...restrictions,
  };
}

function parseBasedir(value: string | undefined, usage: string): string[] {
  if (value === undefined) throw new ToolFailure(`No object dirs specified\n${usage}`);
  const directories = value.split(':');
  if (directories.includes('')) throw errx('Value for basedir option has incorrect format\n');
  return directories;
}

function upperLayer(upperdir: string | undefined, workdir: string | undefined): MountComposefsOptions['upper'] {
  if (upperdir === undefined && workdir === undefined) return undefined;
  if (upperdir === undefined || workdir === undefined) {
    throw errx('Both workdir and upperdir must be specified if used\n');
  }
  return { upperdir, workdir };
}

/** `KEY[=VALUE],…`. A backslash protects what follows it; keys keep theirs. */
function* splitOptions(text: string): Generator<{ readonly key: string; readonly value: string | undefined }> {
  const option = /((?:\\.|[^,=\\]|\\$)*)(?:=((?:\\.|[^,\\]|\\$)*))?(,|$)/sy;
  for (let separator = ','; separator === ','; ) {
    const match = option.exec(text);
    if (match === null) throw new Error(`mount options that cannot be split: ${text}`);
    const [, key = '', value, end = ''] = match;
    yield { key, value: value?.replace(/\\(.?)/gs, '$1') };
    separator = end;
  }
}
