import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsMaterial } from '../containers-config/certs-d.js';
import { RegistryError } from '../model/registry-error.js';
import { trustedRoots } from './system-roots.js';

/** How to trust the other side of a connection, and what to show it. */
export interface TlsTrust {
  readonly material: TlsMaterial | undefined;
  /** False: any certificate is accepted. */
  readonly verify: boolean;
  /** The certificate in `material` is shown to a server that asks for one. */
  readonly showsCertificate: boolean;
}

/**
 * Those made last in this thread, by a hash of all that is in them. Reading the roots of the system takes some 60 ms,
 * longer than to fetch a small layer, and each layer has a connection of its own.
 */
const made = new Map<string, SecureContext>();
const MAX_MADE = 8;

/** @throws RegistryError `TLS_MATERIAL` */
export function secureContext(trust: TlsTrust): SecureContext {
  try {
    return makeContext(trust);
  } catch (cause) {
    const message = `The TLS certificates of ${trust.material?.origin ?? 'the system'} cannot be used`;
    throw new RegistryError('TLS_MATERIAL', message, { cause });
  }
}

function makeContext({ material, verify, showsCertificate }: TlsTrust): SecureContext {
  const { cert, key } = material ?? {};
  const ca = verify ? [...trustedRoots(), ...(material?.ca ?? [])] : undefined;
  const options = {
    minVersion: 'TLSv1.2',
    ...(ca !== undefined && { ca }),
    ...(showsCertificate && cert !== undefined && { cert, key }),
  } as const;
  const name = createHash('sha256').update(JSON.stringify(options)).digest('hex');
  const existing = made.get(name);
  if (existing !== undefined) return existing;
  const context = createSecureContext(options);
  const [oldest] = made.keys();
  if (made.size >= MAX_MADE && oldest !== undefined) made.delete(oldest);
  made.set(name, context);
  return context;
}
