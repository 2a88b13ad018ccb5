import { ComposefsError } from '../../errors.js';
import { editAuthFile, readAuthFile } from '../containers-config/auth-file.js';
import { primaryAuthFile } from '../containers-config/auth-file-paths.js';
import { eraseFromHelper, storeInHelper } from '../containers-config/credential-helper.js';
import { helperServers, keyHost } from '../containers-config/credentials.js';
import { AUTH_FILE_HELPER, loadRegistriesConf } from '../containers-config/registries-conf.js';
import type { GivenCredentials, RegistryConfigOptions } from '../containers-config/registry-config.js';
import { ImageReferenceError } from '../model/image-reference.js';
import { isHost, parseRegistryReference } from '../model/registry-reference.js';
import { verifyLogin } from './verify-login.js';

/** What a login is for: a registry, or a namespace or repository in it. */
export interface LoginTarget {
  readonly host: string;
  readonly repository: string | undefined;
  /** As files have it: `host[/namespace…]`. */
  readonly key: string;
}

/**
 * Parses `HOST[:PORT][/NAMESPACE…]`; a `https://` before it is ignored.
 *
 * @throws ImageReferenceError
 */
export function parseLoginTarget(text: string): LoginTarget {
  const key = text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const slash = key.indexOf('/');
  const host = slash < 0 ? key : key.slice(0, slash);
  if (host.includes('@')) {
    // What is before the `@` may be a password, which messages do not show.
    const hint = 'Name the user with --username; the password is asked for, or read with --password-stdin.';
    const rest = host.slice(host.lastIndexOf('@') + 1);
    throw new ImageReferenceError(`'…@${rest}' is no registry: credentials are no part of it`, hint);
  }
  if (!isHost(host))
    throw new ImageReferenceError(`'${text}' is no registry: '${host}' is no host name with an optional port`);
  if (slash < 0) return { host: keyHost(host), repository: undefined, key: keyHost(host) };
  const path = key.slice(slash + 1);
  // With a host that surely is one, so that only the path is judged.
  const { repository } = parseRegistryReference(`registry.invalid/${path}`);
  if (repository !== path)
    throw new ImageReferenceError(`'${text}' is no registry: a tag or digest cannot be logged in to`);
  return { host: keyHost(host), repository, key: `${keyHost(host)}/${repository}` };
}

export interface LoginOptions extends RegistryConfigOptions {
  /** Tells whether the credentials are good, and throws if not. By default the registry is asked. */
  readonly verify?: ((target: LoginTarget, credentials: GivenCredentials) => Promise<void>) | undefined;
}

/**
 * Asks a registry whether credentials are good, and stores them where podman and skopeo find them: in the helper that is
 * configured for the registry, else in the auth file of the options, of `REGISTRY_AUTH_FILE`, or of the user.
 *
 * @returns where they are now, for messages.
 * @throws RegistryError `UNAUTHORIZED` if they are not good, and what else a registry answers; ComposefsError
 *   `REGISTRY_BLOCKED`, `INVALID_USERNAME`; AuthFileError, CredentialHelperError, RegistriesConfError
 */
export async function login(
  target: LoginTarget,
  credentials: GivenCredentials,
  { verify, ...options }: LoginOptions = {},
): Promise<string> {
  if (credentials.username.includes(':')) {
    throw new ComposefsError('INVALID_USERNAME', 'A user name cannot have a colon');
  }
  await (verify?.(target, credentials) ?? verifyLogin(target, credentials, options));
  const [place = AUTH_FILE_HELPER] = loadRegistriesConf(options).credentialHelpers;
  if (place !== AUTH_FILE_HELPER) return await store(place, target, credentials, options);
  const path = primaryAuthFile(options);
  const helper = readAuthFile(path)?.credHelpers.get(target.key);
  if (helper !== undefined) return await store(helper, target, credentials, options);
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  const edit = (auths: Record<string, unknown>): void => {
    auths[target.key] = { auth };
  };
  await editAuthFile(path, edit, options.signal);
  return path;
}

async function store(
  helper: string,
  { key }: LoginTarget,
  { username, password }: GivenCredentials,
  { environment, signal }: RegistryConfigOptions,
): Promise<string> {
  await storeInHelper(helper, key, { username, secret: password }, { environment, signal });
  return `docker-credential-${helper}`;
}

/**
 * Removes the credentials of a registry from the auth file that {@link login} writes and the helpers, or those of all
 * registries that the file knows.
 *
 * @returns what was removed, for messages.
 * @throws ComposefsError `NOT_LOGGED_IN`; AuthFileError, CredentialHelperError, RegistriesConfError
 */
export async function logout(target: LoginTarget | 'all', options: RegistryConfigOptions = {}): Promise<string[]> {
  const path = primaryAuthFile(options);
  const file = readAuthFile(path);
  if (file === undefined && target === 'all' && options.authFile !== undefined) {
    throw new ComposefsError('NOT_LOGGED_IN', `There is no file ${path} with credentials`);
  }
  const isWanted = (key: string): boolean => target === 'all' || key === target.key || isUrlOf(key, target);
  const { environment, signal } = options;
  const removed: string[] = [];
  const erase = async (helper: string, servers: readonly string[]): Promise<void> => {
    for (const server of servers) {
      if (await eraseFromHelper(helper, server, { environment, signal })) {
        removed.push(`docker-credential-${helper}, entry '${server}'`);
      }
    }
  };
  for (const [key, helper] of file?.credHelpers ?? []) {
    if (isWanted(key)) await erase(helper, [key]);
  }
  for (const helper of loadRegistriesConf(options).credentialHelpers) {
    if (helper !== AUTH_FILE_HELPER && target !== 'all') await erase(helper, helperServers(target.key));
  }
  const keys = [...(file?.auths.keys() ?? [])].filter(isWanted);
  if (keys.length > 0) {
    const edit = (auths: Record<string, unknown>): void => {
      for (const key of keys) delete auths[key];
    };
    await editAuthFile(path, edit, signal);
    removed.push(...keys.map((key) => `${path}, entry '${key}'`));
  }
  if (removed.length === 0 && target !== 'all') {
    throw new ComposefsError('NOT_LOGGED_IN', `Not logged in to ${target.key}`, {
      hint: `There is no entry for it in ${path}; name another file with --authfile.`,
    });
  }
  return removed;
}

/**
 * The registries, and the namespaces and repositories in them, that the auth file of {@link login} has credentials for;
 * what is in helpers is not asked for.
 *
 * @throws AuthFileError
 */
export function listLogins(options: RegistryConfigOptions = {}): string[] {
  return [...(readAuthFile(primaryAuthFile(options))?.auths.keys() ?? [])];
}

/** Whether the key is a URL of the registry, as old versions of docker wrote them. */
function isUrlOf(key: string, target: LoginTarget): boolean {
  return target.repository === undefined && /^https?:\/\//.test(key) && keyHost(key) === target.host;
}
