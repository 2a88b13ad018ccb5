import { rootCertificates } from 'node:tls';
import { errorCode } from '../../errors.js';
import { readSettingsFile } from '../containers-config/settings-file.js';

/** Where distributions keep the certificates that the administrator trusts: Debian, Fedora, openSUSE, Alpine. */
const BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The root certificates to trust, PEM: the file that `SSL_CERT_FILE` names, else the system's, as other programs for
 * registries do; where there are none, those of Node.js.
 */
export function trustedRoots(environment: NodeJS.ProcessEnv = process.env): readonly string[] {
  const named = environment['SSL_CERT_FILE'];
  if (named !== undefined && named !== '') return [readSettingsFile(named).toString('utf8')];
  for (const bundle of BUNDLES) {
    try {
      return [readSettingsFile(bundle).toString('utf8')];
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return rootCertificates;
}
