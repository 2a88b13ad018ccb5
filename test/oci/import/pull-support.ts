import type { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PullResult } from '../../../src/oci/import/pull-options.js';
import { type ProgressEvent, RecordingReporter } from '../../../src/progress.js';
import { buildImage, dataLayerTar, type TestImage } from '../../support/oci-fixtures.js';
import { PULL } from '../oci-support.js';

export const TARS: readonly Buffer[] = [dataLayerTar(10), dataLayerTar(3000), dataLayerTar(70000)];
export const IMAGE: TestImage = buildImage(TARS);

/** Pulls, and keeps what is reported. */
export async function pullWithEvents(
  repo: Repository,
  reference: string,
  tag?: string,
): Promise<[PullResult, ProgressEvent[]]> {
  const progress = new RecordingReporter();
  const result = await pull(repo, reference, tag, { ...PULL, progress });
  return [result, progress.events];
}

export function messages(events: readonly ProgressEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'message' ? [event.text] : []));
}
