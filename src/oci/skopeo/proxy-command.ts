import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GivenCredentials, RegistryConfigOptions } from '../containers-config/registry-config.js';
import type { ImageReference } from '../model/image-reference.js';
import type { Platform } from '../model/platform.js';
import { parseRegistryReference } from '../model/registry-reference.js';

export interface ProxyOptions {
  /** Which image of an index: that of skopeo's own architecture, if undefined. */
  readonly platform?: Platform | undefined;
  readonly config?: RegistryConfigOptions | undefined;
  /**
   * What skopeo checks itself, in newer versions: the policy of a file; `none` to check nothing; undefined for the policy
   * that it finds.
   */
  readonly policy?: { readonly file: string } | 'none' | undefined;
  /** In place of `skopeo`: program and first arguments. */
  readonly program?: readonly string[] | undefined;
}

/** How to start the proxy for an image (spec 40 §5). `authFd` is what `--authfile` names as its descriptor 3. */
export function proxyCommand(reference: ImageReference, options: ProxyOptions, hasAuthFd: boolean): readonly string[] {
  const { platform, policy, config = {} } = options;
  const { registriesConf, authFile, certDir, tlsVerify } = config;
  return [
    ...(options.program ?? defaultProgram(reference)),
    ...(policy === 'none' ? ['--insecure-policy'] : []),
    ...(typeof policy === 'object' ? ['--policy', policy.file] : []),
    ...(registriesConf === undefined ? [] : ['--registries-conf', registriesConf]),
    ...(platform === undefined ? [] : overrides(platform)),
    'experimental-image-proxy',
    ...(hasAuthFd ? ['--authfile', '/proc/self/fd/3'] : authFile === undefined ? [] : ['--authfile', authFile]),
    ...(certDir === undefined ? [] : ['--cert-dir', certDir]),
    ...(tlsVerify === undefined ? [] : [`--tls-verify=${tlsVerify}`]),
  ];
}

/** The store of an ordinary user can be read in the user namespace of that store only. */
function defaultProgram({ transport }: ImageReference): readonly string[] {
  const isOthers = transport === 'containers-storage' && process.geteuid?.() !== 0;
  return isOthers ? ['podman', 'unshare', 'skopeo'] : ['skopeo'];
}

function overrides({ os, architecture, variant }: Platform): readonly string[] {
  const base = ['--override-os', os, '--override-arch', architecture];
  return variant === undefined ? base : [...base, '--override-variant', variant];
}

/**
 * Given credentials as an open file that has no name any more: everybody can see the arguments of a program.
 *
 * @returns undefined where they are for no registry. The caller closes it.
 */
export function openAuthFile(
  reference: ImageReference,
  { username, password, host }: GivenCredentials,
): number | undefined {
  const registry =
    host ?? (reference.transport === 'registry' ? parseRegistryReference(reference.name).host : undefined);
  if (registry === undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'composefs-auth-'));
  try {
    const path = join(directory, 'auth.json');
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    writeFileSync(path, JSON.stringify({ auths: { [registry]: { auth } } }), { mode: 0o600 });
    return openSync(path, 'r');
  } finally {
    rmSync(directory, { recursive: true });
  }
}
