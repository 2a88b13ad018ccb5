import { transformForBoot } from '../../boot/transform.js';
import { parseObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/index.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { createFilesystem, type FilesystemOptions } from '../../oci/layer/filesystem.js';
import { OciImage } from '../../oci/store/image.js';
import type { OciFileSystemOptions } from '../context/options.js';
import { warningReporter } from '../terminal/warning.js';
import type { OciReference } from './oci-reference.js';

/**
 * The file system of a stored image.
 *
 * @param configVerity hex; with it the config of a digest reference is trusted, and its layers are not hashed.
 */
export function imageFilesystem(
  repo: Repository,
  image: OciReference,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Directory {
  const { xattrs, layerRules } = options;
  const how = { xattrs, layerRules, progress: warningReporter };
  const root = plainFilesystem(repo, image, configVerity, how);
  if (options.bootable === true) transformForBoot(root, repo.objects);
  return root;
}

function plainFilesystem(
  repo: Repository,
  image: OciReference,
  configVerity: string | undefined,
  how: FilesystemOptions,
): Directory {
  if (image.kind === 'tag') {
    const opened = OciImage.openRef(repo, image.tag);
    return createFilesystem(repo, opened.configDigest, opened.configVerity, how);
  }
  const verity = configVerity === undefined ? undefined : parseObjectId(repo.algorithm, configVerity);
  return createFilesystem(repo, image.digest, verity, how);
}
