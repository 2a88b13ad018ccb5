import { readFileSync } from 'node:fs';
import { DEFAULT_CONFIG_PATH, readSetupRootConfig } from '../../boot/setup-root/config.js';
import { type SetupRootOptions, setupRoot } from '../../boot/setup-root/setup-root.js';
import { linkVolatileRoot } from '../../boot/setup-root/volatile-root.js';
import { printable } from '../../bytes/printable.js';
import { withContext } from '../../errors.js';
import { renderError } from '../terminal/render-error.js';
import { OptionScanner } from './getopt.js';
import { initramfsFiles } from './initramfs-files.js';
import { STDERR, STDOUT, writeAll } from './stdio.js';

const TOOL = 'composefs-setup-root';
const USAGE = `Usage: ${TOOL} [OPTIONS] [CMD]...

Mounts the composefs image that the kernel command line names (composefs=, composefs.digest=) as the root of the machine.
Runs in an initramfs, when the physical root is mounted.

Arguments:
  [CMD]...           Accepted and not used

Options:
      --sysroot <DIR>   The physical root, with composefs/ and state/; the new root is mounted over it [default: /sysroot]
      --config <FILE>   Configuration; a file that is missing leaves the defaults [default: ${DEFAULT_CONFIG_PATH}]
      --root-fs <DIR>   Take this directory for the image (testing)
      --cmdline <TEXT>  The kernel command line [default: that of the running kernel]
      --target <DIR>    Accepted and not used
      --list-files      Print the files that this command needs in an initramfs, besides shared libraries
  -h, --help            Print help
  -V, --version         Print version
`;

const SYNTAX = {
  short: 'hV',
  long: {
    sysroot: true,
    config: true,
    'root-fs': true,
    cmdline: true,
    target: true,
    'list-files': false,
    help: false,
    version: false,
  },
};

/**
 * `composefs-setup-root` (spec 50 §13).
 *
 * @param version of the package.
 * @returns the exit status: 1 if there is no root to boot from, 2 for wrong usage.
 */
export async function composefsSetupRoot(args: readonly string[], version: () => string): Promise<number> {
  const values = new Map<string, string>();
  for (const found of new OptionScanner(args, SYNTAX)) {
    if (found.kind !== 'option') {
      print(STDERR, `error: ${printable(found.message)}\n\n${USAGE}`);
      return 2;
    }
    if (found.name === 'h' || found.name === 'help') {
      print(STDOUT, USAGE);
      return 0;
    }
    if (found.name === 'V' || found.name === 'version') {
      print(STDOUT, `${TOOL} ${version()}\n`);
      return 0;
    }
    values.set(found.name, found.value ?? '');
  }
  try {
    if (values.has('list-files')) {
      print(STDOUT, `${initramfsFiles().join('\n')}\n`);
      return 0;
    }
    linkVolatileRoot();
    await setupRoot(readOptions(values));
    return 0;
  } catch (error) {
    print(STDERR, `${renderError(error).map(printable).join('\n')}\n`);
    return 1;
  }
}

function readOptions(values: ReadonlyMap<string, string>): SetupRootOptions {
  return {
    sysroot: values.get('sysroot') ?? '/sysroot',
    config: readSetupRootConfig(values.get('config') ?? DEFAULT_CONFIG_PATH),
    cmdline: values.get('cmdline') ?? withContext('Reading /proc/cmdline', () => readFileSync('/proc/cmdline', 'utf8')),
    rootFs: values.get('root-fs'),
    warn: (message) => print(STDERR, `${printable(message)}\n`),
  };
}

function print(fd: number, text: string): void {
  writeAll(fd, Buffer.from(text));
}
