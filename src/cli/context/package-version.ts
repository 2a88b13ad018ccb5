import { createRequire } from 'node:module';

/** The version of this package, read when somebody asks for it. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('composefs-oci/package.json');
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
}
