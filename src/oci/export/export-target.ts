import { ImageReferenceError, parseImageReference } from '../model/image-reference.js';
import { parseRegistryReference } from '../model/registry-reference.js';
import { splitLayoutReference } from '../model/split-reference.js';
import { checkRefName } from './layout-index.js';

/** Where an image can go, apart from registries: the names of containers/image, and `tar` for its files alone. */
export type ExportTransport = 'oci' | 'oci-archive' | 'docker-archive' | 'dir' | 'tar';

export const EXPORT_TRANSPORTS: readonly ExportTransport[] = ['oci', 'oci-archive', 'docker-archive', 'dir', 'tar'];

/** Where an image is written, as {@link parseExportTarget} reads it: `TRANSPORT:PATH[:TAG]`. */
export interface ExportTarget {
  readonly transport: ExportTransport;
  /** `-` is standard output, for what is one file. */
  readonly path: string;
  /** Of a layout; the name of the image in a Docker archive. */
  readonly tag?: string;
}

/** The path of an {@link ExportTarget} that stands for standard output. */
export const STANDARD_OUTPUT = '-';

const HINT =
  'An image can be exported to oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], ' +
  'dir:DIRECTORY and tar:FILE; to a registry with `cfsctl oci push`.';

/** @throws ImageReferenceError; ComposefsError `INVALID_REF_NAME` */
export function parseExportTarget(text: string): ExportTarget {
  const colon = text.indexOf(':');
  const transport = EXPORT_TRANSPORTS.find((each) => each === text.slice(0, colon));
  if (transport === undefined)
    throw new ImageReferenceError(`'${text}' is nothing that an image can be exported to`, HINT);
  const name = transport === 'tar' ? text.slice(colon + 1) : parseImageReference(text).name;
  if (name === '') throw new ImageReferenceError(`Invalid empty name in ${text}`, HINT);
  const target: ExportTarget =
    transport === 'dir' || transport === 'tar'
      ? { transport, path: name }
      : { transport, ...splitLayoutReference(transport, name) };
  if (target.path === '' || target.tag === '') throw new ImageReferenceError(`Invalid empty name in ${text}`, HINT);
  if (target.path === STANDARD_OUTPUT && (transport === 'oci' || transport === 'dir')) {
    throw new ImageReferenceError(`${text}: a directory cannot go to standard output`, 'Name ./- for one called -.');
  }
  if (target.tag !== undefined) {
    if (transport === 'docker-archive') parseRegistryReference(target.tag);
    else checkRefName(target.tag);
  }
  return target;
}
