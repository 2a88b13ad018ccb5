/** How a machine's root is put together from an image and its state (spec 50 §13.1). */

import { openSync } from 'node:fs';
import { parse as parseToml, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { decodeUtf8 } from '../../bytes/text.js';
import { ComposefsError, withContext } from '../../errors.js';
import { isErrno, readFully, withFd } from '../../fs/files.js';
import { tomlFault } from '../../json/toml.js';

export const DEFAULT_CONFIG_PATH = '/usr/lib/composefs/setup-root-conf.toml';

/**
 * What a directory of the new root is: `none`, that of the image; `bind`, the one in the state; `overlay`, that of the
 * image with changes kept in the state; `transient`, that of the image with changes kept until the machine stops.
 */
export type DirectoryMount = 'none' | 'bind' | 'overlay' | 'transient';

const DIRECTORY_MOUNTS: readonly DirectoryMount[] = ['none', 'bind', 'overlay', 'transient'];

export interface SetupRootConfig {
  readonly etc: DirectoryMount;
  readonly var: DirectoryMount;
  /** The whole root is writable until the machine stops. */
  readonly transientRoot: boolean;
}

export const DEFAULT_CONFIG: SetupRootConfig = { etc: 'overlay', var: 'bind', transientRoot: false };

/** Bytes of a configuration file. */
const MAX_SIZE = 1 << 20;

const flag = v.optional(v.boolean('must be true or false'), false);
const directory = v.optional(
  v.object(
    {
      mount: v.optional(v.picklist(DIRECTORY_MOUNTS, `must be one of ${DIRECTORY_MOUNTS.join(', ')}`)),
      transient: flag,
    },
    'must be a table',
  ),
  {},
);
const document = v.object({
  etc: directory,
  var: directory,
  root: v.optional(v.object({ transient: flag }, 'must be a table'), {}),
});

/**
 * Parses the configuration. Keys that are not known are nobody's fault.
 *
 * @throws ComposefsError `INVALID_CONFIG`
 */
export function parseSetupRootConfig(text: string): SetupRootConfig {
  const result = v.safeParse(document, parseDocument(text));
  if (!result.success) {
    const [issue] = result.issues;
    throw invalid(`${v.getDotPath(issue) ?? 'the file'} ${issue.message}`);
  }
  const { etc, var: variable, root } = result.output;
  const mountOf = ({ mount, transient }: typeof etc, otherwise: DirectoryMount): DirectoryMount =>
    mount ?? (transient ? 'transient' : otherwise);
  return {
    etc: mountOf(etc, DEFAULT_CONFIG.etc),
    var: mountOf(variable, DEFAULT_CONFIG.var),
    transientRoot: root.transient,
  };
}

/**
 * Reads the configuration; without a file it is {@link DEFAULT_CONFIG}.
 *
 * @throws ComposefsError `INVALID_CONFIG`, with the path
 */
export function readSetupRootConfig(path: string): SetupRootConfig {
  return withContext(`Reading ${path}`, () => {
    try {
      const bytes = withFd(openSync(path, 'r'), (fd) => readFully(fd, MAX_SIZE));
      const text = decodeUtf8(bytes);
      if (text === undefined) throw invalid('it is not UTF-8');
      return parseSetupRootConfig(text);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return DEFAULT_CONFIG;
      throw error;
    }
  });
}

function parseDocument(text: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw invalid(tomlFault(error));
  }
}

function invalid(message: string): ComposefsError {
  return new ComposefsError('INVALID_CONFIG', message);
}
