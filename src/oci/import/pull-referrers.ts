import type { ProgressReporter } from '../../progress.js';
import type { OciDigest } from '../model/digest.js';
import { PolicyRejection } from '../signatures/check-policy.js';
import { readReferrers } from '../sources/read-referrers.js';
import type { AcceptManifest } from './accept-manifest.js';
import { pullContent } from './pull-content.js';
import type { PullContext } from './pull-context.js';
import { storeDocuments } from './store-documents.js';

/** Stores the artifacts that refer to `subject`, and that they do; without EROFS images. */
export async function pullReferrers(
  subject: OciDigest,
  context: PullContext,
  accept: AcceptManifest,
): Promise<OciDigest[]> {
  const { source, progress, names } = context;
  // The totals of the progress display are those of the image.
  const messages: ProgressReporter = { report: (event) => event.type === 'message' && progress.report(event) };
  const stored: OciDigest[] = [];
  for await (const document of readReferrers(source, subject, messages)) {
    try {
      await accept(document, true);
    } catch (error) {
      if (!(error instanceof PolicyRejection)) throw error;
      messages.report({ type: 'message', text: `Ignoring referrer ${document.digest}: ${error.message}` });
      continue;
    }
    const quiet = { ...context, progress: messages };
    await storeDocuments(await pullContent(document, quiet), undefined, quiet);
    names.addReferrer(subject, document.digest);
    stored.push(document.digest);
  }
  return stored;
}
