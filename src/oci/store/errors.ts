import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import { artifactType, type ImageManifest } from '../model/manifest.js';
import { layerContentId } from './identifiers.js';

export const LIST_TAGS_HINT = 'list the tags of the repository with `cfsctl oci images`';

/** A tag that does not exist. */
export class OciRefNotFound extends ComposefsError {
  readonly ref: string;

  constructor(ref: string) {
    super('OCI_REF_NOT_FOUND', `OCI reference not found: ${ref}`, { hint: LIST_TAGS_HINT });
    this.ref = ref;
  }
}

/** No EROFS image of the repository's format is linked to an image. */
export class OciErofsNotFound extends ComposefsError {
  readonly digest: string;
  readonly bootable: boolean;

  constructor(digest: string, bootable: boolean) {
    const kind = bootable ? 'boot' : 'composefs';
    const how = bootable ? 'pull it again with --bootable' : 'pull it again';
    super('OCI_EROFS_NOT_FOUND', `no ${kind} EROFS image linked for ${digest}`, { hint: how });
    this.digest = digest;
    this.bootable = bootable;
  }
}

/** A manifest that is not in the repository. */
export class OciImageNotFound extends ComposefsError {
  readonly digest: string;

  constructor(digest: string, cause?: unknown) {
    const details = { hint: LIST_TAGS_HINT, ...(cause !== undefined && { cause }) };
    super('OCI_IMAGE_NOT_FOUND', `OCI image not found: ${digest}`, details);
    this.digest = digest;
  }
}

/**
 * For what only a container image has.
 *
 * @param limit why an artifact will not do.
 */
export function notAContainerImage(
  manifestDigest: OciDigest,
  manifest: ImageManifest,
  limit = 'which has no file system',
): ComposefsError {
  const message = `${manifestDigest} is an artifact of type ${artifactType(manifest)}, ${limit}`;
  const [first] = manifest.layers;
  const hint = `\`cfsctl oci inspect ${manifestDigest}\` shows its manifest`;
  const read = first === undefined ? '' : `, \`cfsctl cat ${layerContentId(first.digest)}\` prints its content`;
  return new ComposefsError('NOT_A_CONTAINER_IMAGE', message, { hint: hint + read });
}
