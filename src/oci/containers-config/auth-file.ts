import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ComposefsError, errorCode } from '../../errors.js';
import { waitForFlock } from '../../fs/wait-for-flock.js';
import { readSettingsFile } from './settings-file.js';

/** One entry of `auths`. */
export interface AuthEntry {
  /** Base64 of `user:password`; counts more than the two as they are, which Kubernetes writes and docker reads. */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
}

/** The parts of an auth.json or config.json that matter here (containers-auth.json(5), docker's config.json). */
export interface AuthFile {
  readonly path: string;
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** Names of helper programs by registry. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** The helper for all other registries; docker's, not podman's. */
  readonly credsStore: string | undefined;
}

/** A file with credentials that cannot be used. Code `INVALID_AUTH_FILE`; never shows any content. */
export class AuthFileError extends ComposefsError {
  constructor(path: string, message: string, details: { cause?: unknown; hint?: string } = {}) {
    super('INVALID_AUTH_FILE', `${path}: ${message}`, details);
  }
}

type JsonRecord = { [key: string]: unknown };

/**
 * Reads a file with credentials; undefined where there is none. `.dockercfg` is the content of `auths` alone.
 *
 * @throws AuthFileError
 */
export function readAuthFile(path: string): AuthFile | undefined {
  const document = readDocument(path);
  if (document === undefined) return undefined;
  const isLegacy = basename(path) === '.dockercfg';
  const auths = isLegacy ? document : member(path, document, 'auths');
  const helpers = isLegacy ? {} : member(path, document, 'credHelpers');
  const { credsStore: store } = document;
  return {
    path,
    auths: new Map(Object.entries(auths).map(([key, value]) => [key, parseEntry(path, key, value)])),
    credHelpers: new Map(
      Object.entries(helpers)
        .map(([key, value]) => [key, parseHelper(path, key, value)] as const)
        .filter(([, helper]) => helper !== ''),
    ),
    credsStore: !isLegacy && typeof store === 'string' && store !== '' ? store : undefined,
  };
}

/**
 * Changes a file with credentials: `edit` gets its `auths` and changes them. Everything else in the file stays as it is.
 * The new file has mode 0600 and takes the place of the old one at once, so that no other program sees half of it. Two
 * that change it at once wait for each other, by a lock of its folder.
 *
 * @throws AuthFileError; the signal's reason
 */
export async function editAuthFile(
  path: string,
  edit: (auths: JsonRecord) => void,
  signal?: AbortSignal,
): Promise<void> {
  const cannotWrite = (cause: unknown): AuthFileError =>
    new AuthFileError(path, 'cannot be written', {
      cause,
      hint: 'Name another file with --authfile or in REGISTRY_AUTH_FILE.',
    });
  let file: string;
  let lock: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    file = resolveLink(path);
    lock = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw cannotWrite(cause);
  }
  try {
    await waitForFlock(lock, 'exclusive', { signal }).catch(() => {
      // Some network file systems cannot lock; other tools never do.
      signal?.throwIfAborted();
    });
    const document = readDocument(path) ?? {};
    const auths = member(path, document, 'auths');
    edit(auths);
    try {
      replaceFile(file, `${JSON.stringify({ ...document, auths }, null, '\t')}\n`);
    } catch (cause) {
      throw cannotWrite(cause);
    }
  } finally {
    closeSync(lock);
  }
}

function readDocument(path: string): JsonRecord | undefined {
  let content: string;
  try {
    content = readSettingsFile(path).toString('utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(cause))) return undefined;
    throw new AuthFileError(path, 'cannot be read', { cause });
  }
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch {
    // The parser's message would quote the content.
    throw new AuthFileError(path, 'is not valid JSON', { hint: 'Correct it, or remove it and log in again.' });
  }
  if (!isRecord(document)) throw new AuthFileError(path, 'is not a JSON object');
  return document;
}

function member(path: string, document: JsonRecord, key: string): JsonRecord {
  const value = document[key] ?? {};
  if (!isRecord(value)) throw new AuthFileError(path, `'${key}' is not an object`);
  return value;
}

function parseEntry(path: string, key: string, value: unknown): AuthEntry {
  const record = value ?? {};
  if (!isRecord(record)) throw new AuthFileError(path, `the entry of '${key}' is not an object`);
  const text = (name: string): string | undefined => {
    const field = record[name] ?? '';
    if (typeof field !== 'string') throw new AuthFileError(path, `the entry of '${key}' is not text`);
    return field === '' ? undefined : field;
  };
  const [auth, username, password] = [text('auth'), text('username'), text('password')];
  const identityToken = text('identitytoken');
  return {
    ...(auth !== undefined && { auth }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(identityToken !== undefined && { identityToken }),
  };
}

/** Empty: none. */
function parseHelper(path: string, key: string, value: unknown): string {
  const helper = value ?? '';
  if (typeof helper !== 'string') throw new AuthFileError(path, `the helper of '${key}' is not a name`);
  return helper;
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A symbolic link stays one. */
function resolveLink(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return path;
    throw error;
  }
}

function replaceFile(path: string, content: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    try {
      fchmodSync(fd, 0o600);
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
