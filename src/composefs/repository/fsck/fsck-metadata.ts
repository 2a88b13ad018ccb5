import { fullMessage } from '../../../errors.js';
import { formatAlgorithm, type HashAlgorithm } from '../../fsverity/algorithm.js';
import type { RepositoryRoot } from '../directory/root.js';
import { checkCompatible, type RepositoryMetadata } from '../metadata/metadata.js';
import { readMetadata } from '../metadata/metadata-file.js';
import { FsckFindings, type FsckPart } from './fsck-result.js';

/** Reads `meta.json` again and checks it (spec 10 §18.2 phase 0). */
export function checkMetadata(
  root: RepositoryRoot,
  algorithm: HashAlgorithm,
): { readonly hasMetadata: boolean; readonly findings: FsckPart } {
  const findings = new FsckFindings();
  let metadata: RepositoryMetadata | undefined;
  try {
    metadata = readMetadata(root);
  } catch (error) {
    findings.add({ type: 'metadata-parse-failed', detail: fullMessage(error) });
    return { hasMetadata: false, findings };
  }
  if (metadata === undefined) {
    const detail = 'meta.json not found; expected because repository was opened successfully';
    findings.add({ type: 'metadata-parse-failed', detail });
  } else {
    try {
      checkCompatible(metadata, algorithm);
    } catch {
      const expected = formatAlgorithm(metadata.algorithm);
      findings.add({ type: 'metadata-algorithm-mismatch', expected, actual: algorithm });
    }
  }
  return { hasMetadata: metadata !== undefined, findings };
}
