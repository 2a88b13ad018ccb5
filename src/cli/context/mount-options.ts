import type { MountRestrictions } from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import { type CfsctlOption, choice, flag, value } from './options.js';
import { parseArgumentValue, UsageError } from './usage-error.js';

/** What `-o` sets, as mount(8) calls it; of contradicting ones the last counts. */
export interface MountFlags extends MountRestrictions {
  readonly readWrite?: boolean;
}

const FLAGS: Readonly<Record<string, MountFlags>> = {
  nosuid: { nosuid: true },
  suid: { nosuid: false },
  nodev: { nodev: true },
  dev: { nodev: false },
  noexec: { noexec: true },
  exec: { noexec: false },
  ro: { readWrite: false },
  rw: { readWrite: true },
};

const FLAG_NAMES = Object.keys(FLAGS).join(', ');

/** MNT options of spec 70 C3, and `--verify`. */
export interface MountOptions extends MountRestrictions {
  /** Of `-o`. */
  readonly options?: MountFlags;
  readonly fuse: 'auto' | 'yes' | 'no';
  readonly foreground?: boolean;
  readonly upperdir?: string;
  readonly workdir?: string;
  readonly readWrite?: boolean;
  readonly verify?: boolean;
}

export function mountOptions(): CfsctlOption[] {
  const fuse = choice('--fuse <FUSE>', 'Whether to use FUSE; auto uses it where the kernel cannot mount the image', [
    'auto',
    'yes',
    'no',
  ]);
  fuse.default('auto');
  return [
    fuse,
    flag('--foreground', 'With FUSE: serve in this process, until it is unmounted or gets a signal'),
    value('--upperdir <UPPERDIR>', 'Upper directory of the overlay; needs --workdir'),
    value('--workdir <WORKDIR>', 'Work directory of the overlay; needs --upperdir'),
    flag('--read-write', 'Mount writable; needs --upperdir'),
    flag('--verify', 'Use FUSE, and check each file when it is first opened, also where nothing has fs-verity'),
    flagsOption(),
    flag('--nosuid', 'Let set-user-id and set-group-id bits and file capabilities not count'),
    flag('--nodev', 'Let device nodes not be opened'),
    flag('--noexec', 'Let nothing be executed'),
  ];
}

/** What {@link mountOptions} require of each other, by attribute name. */
export const MOUNT_REQUIREMENTS: Readonly<Record<string, readonly string[]>> = {
  upperdir: ['workdir'],
  workdir: ['upperdir'],
  readWrite: ['upperdir'],
};

export interface OciMountOptions extends MountOptions {
  readonly bootable?: boolean;
  readonly dev?: boolean;
}

/** {@link mountOptions} of a mount that has `--nodev` unless somebody says otherwise. */
export function ociMountOptions(): CfsctlOption[] {
  const dev = flag('--dev', 'Let device nodes of the image be opened, which without this they cannot');
  return [...mountOptions(), dev.conflicts('nodev')];
}

/** What is to be set: an option for itself counts more than `-o`. */
export function mountFlags(given: MountOptions): MountFlags {
  const { options, nosuid, nodev, noexec, readWrite } = given;
  if (options?.readWrite === true && given.upperdir === undefined) {
    throw new UsageError("'-o rw' needs '--upperdir <UPPERDIR>' and '--workdir <WORKDIR>'");
  }
  const own = { nosuid, nodev, noexec, readWrite };
  return { ...options, ...Object.fromEntries(Object.entries(own).filter(([, set]) => set !== undefined)) };
}

function flagsOption(): CfsctlOption {
  const option = value('-o, --options <OPTIONS>', `Options as of mount(8), with commas between: ${FLAG_NAMES}`);
  option.repeatable = true;
  option.argParser((text, previous: MountFlags | undefined) =>
    parseArgumentValue(option.display, text, () => parseFlags(text, previous)),
  );
  return option;
}

function parseFlags(text: string, previous: MountFlags = {}): MountFlags {
  let flags = previous;
  for (const name of text.split(',')) {
    const found = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
    if (found === undefined) throw new ComposefsError('EINVAL', `unknown option '${name}' (expected ${FLAG_NAMES})`);
    flags = { ...flags, ...found };
  }
  return flags;
}
