import { Option } from 'commander';
import type { HashAlgorithm } from '../../composefs/index.js';
import type { LayerLimits, LayerRules } from '../../index.js';
import { parseArgumentValue, UsageError } from './usage-error.js';

/** An option as `cfsctl` declares it: `--no-x` is a plain flag called `noX`, and only some may be repeated. */
export class CfsctlOption extends Option {
  repeatable = false;
  /** The value of the option without one; another has to follow after `=`, as in `--tls-verify=false`. */
  impliedValue: string | undefined;

  constructor(flags: string, description: string) {
    super(flags, description);
    this.negate = false;
  }

  /** As messages name it: `--repo <REPO>`, `--dry-run`. */
  get display(): string {
    const valueName = /<[^>]+>/.exec(this.flags)?.[0];
    const name = this.long ?? this.short;
    if (this.impliedValue !== undefined) return `${name}[=${valueName}]`;
    return `${name}${valueName === undefined ? '' : ` ${valueName}`}`;
  }
}

/** Of an argument that `findImage` takes. */
export const IMAGE = 'Tag, digest of the manifest or the config (sha256:…), or its first 8 or more digits';

/** An option without a value. */
export function flag(flags: string, description: string): CfsctlOption {
  return new CfsctlOption(flags, description);
}

/** An option with a value: `value('--repo <REPO>', …)`. */
export function value(flags: string, description: string, parse?: (text: string) => unknown): CfsctlOption {
  const option = new CfsctlOption(flags, description);
  if (parse !== undefined) option.argParser((text) => parseArgumentValue(option.display, text, parse));
  return option;
}

/** An option with one of a few values; `convert` makes the value that the command sees. */
export function choice(
  flags: string,
  description: string,
  values: readonly string[],
  convert: (text: string) => unknown = (text) => text,
): CfsctlOption {
  const option = new CfsctlOption(flags, description);
  option.argChoices = [...values];
  option.argParser((text) => {
    if (!values.includes(text)) {
      throw new UsageError(`invalid value '${text}' for '${option.display}'`, {
        lines: [`[possible values: ${values.join(', ')}]`],
      });
    }
    return convert(text);
  });
  return option;
}

/** An option with some of a few values, separated by commas. */
export function choices(flags: string, description: string, values: readonly string[]): CfsctlOption {
  const option = new CfsctlOption(flags, `${description}: ${values.join(', ')}`);
  option.argParser((text) => {
    const chosen = text.split(',');
    const wrong = chosen.find((each) => !values.includes(each));
    if (wrong === undefined) return chosen;
    throw new UsageError(`invalid value '${wrong}' for '${option.display}'`, {
      lines: [`[possible values: ${values.join(', ')}]`],
    });
  });
  return option;
}

/** An option that may be given several times: all its values, in order. */
export function list(flags: string, description: string): CfsctlOption {
  const option = new CfsctlOption(flags, description);
  option.repeatable = true;
  option.argParser((text, previous: string[] | undefined) => [...(previous ?? []), text]);
  return option;
}

/** An option that is true or false; without a value it is true: `--tls-verify`, `--tls-verify=false`. */
export function toggle(flags: string, description: string): CfsctlOption {
  const option = choice(flags, description, ['true', 'false'], (text) => text === 'true');
  option.impliedValue = 'true';
  return option;
}

/** A whole number from `min` to `max`. */
export function wholeNumber(flags: string, description: string, min: number, max: number): CfsctlOption {
  const option = new CfsctlOption(flags, description);
  option.argParser((text) => {
    const parsed = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (parsed >= min && parsed <= max) return parsed;
    throw new UsageError(`invalid value '${text}' for '${option.display}': not a number from ${min} to ${max}`);
  });
  return option;
}

/** Spec 70 B1. */
export interface GlobalOptions {
  readonly repo?: string;
  readonly user?: boolean;
  readonly system?: boolean;
  readonly hash?: HashAlgorithm;
  readonly erofsVersion?: 0 | 1 | 2;
  readonly insecure?: boolean;
  readonly allowForeignOwner?: boolean;
  readonly requireVerity?: boolean;
  readonly noUpgrade?: boolean;
  readonly noRepo?: boolean;
  readonly debug?: boolean;
}

export function erofsVersionOption(description: string): CfsctlOption {
  return choice('--erofs-version <EROFS_VERSION>', description, ['0', '1', '2'], Number);
}

export function globalOptions(): CfsctlOption[] {
  const location = ['repo', 'user', 'system'];
  const others = (name: string): string[] => location.filter((other) => other !== name);
  return [
    value('--repo <REPO>', 'Repository at this path [env: COMPOSEFS_REPO]').conflicts(others('repo')),
    flag('--user', "The user's repository, $HOME/.var/lib/composefs").conflicts(others('user')),
    flag('--system', "The system's repository, /sysroot/composefs").conflicts(others('system')),
    choice('--hash <HASH>', 'Require this digest type (by default it is read from meta.json)', ['sha256', 'sha512']),
    erofsVersionOption("Image format to generate, for this invocation (by default the repository's, else 1)"),
    flag('--insecure', 'Do not require fs-verity').hideHelp(),
    flag('--require-verity', 'Fail if the repository does not require fs-verity'),
    flag('--no-upgrade', 'Fail on a repository of the old format instead of writing its meta.json'),
    flag('--allow-foreign-owner', 'As root, write to a repository that belongs to another user, who then is trusted'),
    flag('--no-repo', 'Open no repository; only for compute-id and create-dumpfile'),
    flag('--debug', 'Show stack traces with errors'),
  ] as CfsctlOption[];
}

/** FS options of spec 70 C1. */
export interface FileSystemOptions {
  readonly bootable?: boolean;
  readonly noPropagateUsrToRoot?: boolean;
  readonly xattrs: 'allowlist-only' | 'keep-user-xattrs';
}

export function bootableOption(): CfsctlOption {
  return flag('--bootable', 'Transform the tree for boot: SELinux labels of its own policy, empty /boot and /sysroot');
}

export function noPropagateOption(): CfsctlOption {
  return flag(
    '--no-propagate-usr-to-root',
    'Take the tree as it is: do not copy the metadata of /usr to the root directory, empty /run or filter xattrs',
  );
}

const XATTR_MODES: readonly string[] = ['allowlist-only', 'keep-user-xattrs'];

export function xattrsOption(): CfsctlOption {
  const option = new CfsctlOption(
    '--xattrs <XATTRS>',
    'Extended attributes to keep: allowlist-only (security.capability) or keep-user-xattrs (user.* as well)',
  );
  option.default('allowlist-only');
  option.argParser((text) => {
    if (XATTR_MODES.includes(text)) return text;
    const expected = XATTR_MODES.map((mode) => `"${mode}"`).join(' or ');
    throw new UsageError(
      `invalid value '${text}' for '${option.display}': invalid xattr filtering mode "${text}" (expected ${expected})`,
    );
  });
  return option;
}

/** How the tree of an OCI image is made. */
export interface OciFileSystemOptions extends Pick<FileSystemOptions, 'bootable' | 'xattrs'> {
  readonly layerRules?: LayerRules;
}

export function layerRulesOption(): CfsctlOption {
  const option = choice('--layer-rules <RULES>', 'Layers become a tree as OCI says, or exactly as in composefs-rs', [
    'oci',
    'reference',
  ]);
  option.default(undefined, 'oci');
  return option;
}

/** How large a layer may be. */
export interface LayerLimitOptions {
  readonly maxLayerEntries?: number;
  /** GiB. */
  readonly maxLayerSize?: number;
}

export function layerLimitOptions(): CfsctlOption[] {
  const entries = wholeNumber('--max-layer-entries <COUNT>', 'Entries that a layer may have', 1, 999_999_999);
  entries.default(undefined, '2000000');
  const size = wholeNumber('--max-layer-size <GIB>', 'What a layer may unpack to, in GiB', 1, 999_999);
  size.default(undefined, '256');
  return [entries, size];
}

export function layerLimits({ maxLayerEntries, maxLayerSize }: LayerLimitOptions): LayerLimits {
  return {
    maxEntries: maxLayerEntries,
    maxBytes: maxLayerSize === undefined ? undefined : maxLayerSize * 2 ** 30,
  };
}

export function fileSystemOptions(): CfsctlOption[] {
  return [bootableOption(), noPropagateOption(), xattrsOption()];
}

/** How the tree of an OCI image is to be made. */
export function ociFileSystemOptions(): CfsctlOption[] {
  return [bootableOption(), xattrsOption(), layerRulesOption()];
}
