import type { RegistryConfigOptions } from '../../index.js';
import { type CfsctlOption, toggle, value } from './options.js';

/** How to reach registries: the names and meanings are those of podman and skopeo. */
export interface RegistryOptions {
  readonly authfile?: string;
  readonly certDir?: string;
  readonly tlsVerify?: boolean;
  readonly registriesConf?: string;
}

export function authFileOption(): CfsctlOption {
  return value(
    '--authfile <FILE>',
    'File with credentials, in place of $REGISTRY_AUTH_FILE and the files of podman and docker',
  );
}

export function registryOptions(): CfsctlOption[] {
  return [
    authFileOption(),
    toggle(
      '--tls-verify <TLS_VERIFY>',
      'Whether registries need TLS and a valid certificate; by default registries.conf says which do not',
    ),
    value(
      '--cert-dir <DIR>',
      'Certificates in place of certs.d: *.crt of authorities, NAME.cert and NAME.key of a client',
    ),
    value('--registries-conf <FILE>', "registries.conf in place of the user's or the system's"),
  ];
}

export function registryConfig(options: RegistryOptions): RegistryConfigOptions {
  const { authfile, certDir, tlsVerify, registriesConf } = options;
  return { authFile: authfile, certDir, tlsVerify, registriesConf };
}
