import { DOCKER_HOST } from '../model/registry-reference.js';
import { type AuthEntry, type AuthFile, AuthFileError, readAuthFile } from './auth-file.js';
import { authFilePaths, requireNamedAuthFile } from './auth-file-paths.js';
import { getFromHelper, type HelperCredentials, MissingHelperError } from './credential-helper.js';
import { AUTH_FILE_HELPER, loadRegistriesConf } from './registries-conf.js';
import type { RegistryConfigOptions } from './registry-config.js';

/** What proves to a registry who asks. Plain data. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** An OAuth2 refresh token. */
  readonly identityToken?: string;
  /** Which file and entry, or which helper: for messages. Never the secret. */
  readonly origin: string;
}

/** What docker calls its registry in files and helpers. */
const DOCKER_SERVER = 'https://index.docker.io/v1/';
/** The user name by which helpers say that the secret is an identity token. */
const TOKEN_USER = '<token>';

/**
 * Finds the credentials for a repository where podman, skopeo and docker keep them: those of the options; else, in the
 * order of `credential-helpers` of registries.conf, the helpers and the auth files of podman and docker, of which the
 * first that has an entry decides. In a file the longest key counts: `host/namespace/repository` to `host`.
 *
 * @param host `host[:port]` as in the reference: `docker.io`
 * @param repository Undefined: only what is for the whole host.
 * @param onMissing Is told of helpers that are configured for this registry but not installed: public images need none.
 * @throws AuthFileError, CredentialHelperError, RegistriesConfError
 */
export async function findCredentials(
  host: string,
  repository: string | undefined,
  options: RegistryConfigOptions = {},
  onMissing: OnMissingHelper = () => undefined,
): Promise<Credentials | undefined> {
  const { credentials: given } = options;
  if (given !== undefined && (given.host === undefined || given.host === host)) {
    return { username: given.username, password: given.password, origin: 'the command line' };
  }
  requireNamedAuthFile(options);
  let failure: unknown;
  for (const helper of loadRegistriesConf(options).credentialHelpers) {
    try {
      const found =
        helper === AUTH_FILE_HELPER
          ? await findInFiles(host, repository, options, onMissing)
          : await askHelper(helper, host, options, 'registries.conf', onMissing);
      if (found !== undefined) return found;
    } catch (error) {
      options.signal?.throwIfAborted();
      // Another place may have them.
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** Is told of a credential helper that is configured and not installed. */
export type OnMissingHelper = (error: MissingHelperError) => void;

/** The keys by which files know a repository, the most special one first. */
export function credentialKeys(host: string, repository: string | undefined): string[] {
  const parts = repository?.split('/') ?? [];
  const names = parts.map((_, i) => [host, ...parts.slice(0, parts.length - i)].join('/'));
  return [...names, host];
}

/** The host of a key, which may be a URL as old versions of docker wrote it. */
export function keyHost(key: string): string {
  const [host = ''] = key.replace(/^https?:\/\//, '').split('/');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? DOCKER_HOST : host;
}

/** The names by which helpers may know a host. */
export function helperServers(host: string): string[] {
  return host === DOCKER_HOST ? [host, DOCKER_SERVER] : [host];
}

async function findInFiles(
  host: string,
  repository: string | undefined,
  options: RegistryConfigOptions,
  onMissing: OnMissingHelper,
): Promise<Credentials | undefined> {
  for (const path of authFilePaths(options)) {
    const file = readAuthFile(path);
    if (file === undefined) continue;
    const found = await findInFile(file, host, repository, options, onMissing);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function findInFile(
  file: AuthFile,
  host: string,
  repository: string | undefined,
  options: RegistryConfigOptions,
  onMissing: OnMissingHelper,
): Promise<Credentials | undefined> {
  const helper = helperServers(host)
    .map((server) => file.credHelpers.get(server))
    .find((name) => name !== undefined);
  // Where a helper is named for the registry, no password in this file counts.
  if (helper !== undefined) return await askHelper(helper, host, options, file.path, onMissing);
  const key = findKey(file, host, repository);
  const found = key === undefined ? undefined : decodeEntry(file.path, key, file.auths.get(key) ?? {});
  if (found !== undefined || file.credsStore === undefined) return found;
  return await askHelper(file.credsStore, host, options, file.path, onMissing);
}

function findKey(file: AuthFile, host: string, repository: string | undefined): string | undefined {
  const exact = credentialKeys(host, repository).find((key) => file.auths.has(key));
  // Old files have URLs, with a path that is not that of a repository.
  return exact ?? [...file.auths.keys()].find((key) => keyHost(key) === host && isWholeHost(key));
}

function isWholeHost(key: string): boolean {
  return /^https?:\/\//.test(key) || !key.includes('/');
}

function decodeEntry(path: string, key: string, entry: AuthEntry): Credentials | undefined {
  const origin = `${path}, entry '${key}'`;
  const { identityToken } = entry;
  const { username, password } = entry.auth === undefined ? entry : decodeAuth(path, key, entry.auth);
  if (identityToken !== undefined) return { ...(username !== undefined && { username }), identityToken, origin };
  return username === undefined || password === undefined ? undefined : { username, password, origin };
}

function decodeAuth(path: string, key: string, auth: string): Pick<AuthEntry, 'username' | 'password'> {
  const text = decodeBase64(auth);
  if (text === undefined) throw new AuthFileError(path, `the entry of '${key}' is not base64`);
  const colon = text.indexOf(':');
  if (colon <= 0) return {};
  const password = text.slice(colon + 1).replace(/^\0+|\0+$/g, '');
  return { username: text.slice(0, colon), ...(password !== '' && { password }) };
}

/** Lines may end anywhere, as `base64` wraps them. */
function decodeBase64(wrapped: string): string | undefined {
  const text = wrapped.replace(/[\r\n]/g, '').trim();
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes.toString('utf8') : undefined;
}

async function askHelper(
  name: string,
  host: string,
  options: RegistryConfigOptions,
  source: string,
  onMissing: OnMissingHelper,
): Promise<Credentials | undefined> {
  const { environment, signal } = options;
  for (const server of helperServers(host)) {
    let found: HelperCredentials | undefined;
    try {
      found = await getFromHelper(name, server, { environment, signal });
    } catch (error) {
      if (!(error instanceof MissingHelperError)) throw error;
      onMissing(error);
      return undefined;
    }
    if (found === undefined || (found.username === '' && found.secret === '')) continue;
    const origin = `docker-credential-${name} (${source}), entry '${server}'`;
    if (found.username === TOKEN_USER) return { identityToken: found.secret, origin };
    return { username: found.username, password: found.secret, origin };
  }
  return undefined;
}
