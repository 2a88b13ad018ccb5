import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { XATTR_FILTERINGS, type XattrFiltering } from '../tree/transform.js';
import type { ConfigRefs } from './config-stream.js';
import { BOOT_IMAGE_REF_KEY_V1 } from './identifiers.js';

/** One EROFS image of a stored image. */
export interface LinkedErofsImage {
  readonly id: ObjectId;
  readonly bootable: boolean;
  /** Of the format; 1 stands for 0 as well, which has the same place. */
  readonly version: 1 | 2;
  /** Undefined for plain images, which are always `allowlist-only`. */
  readonly xattrMode: XattrFiltering | undefined;
}

/** The EROFS images that a config stream links: V2, V1, then the boot images by their keys (spec 40 §14.4). */
export function linkedImagesOf({ image, imageV1, bootImages }: ConfigRefs): LinkedErofsImage[] {
  const plain = ([2, 1] as const).flatMap((version): LinkedErofsImage[] => {
    const id = version === 2 ? image : imageV1;
    return id === undefined ? [] : [{ id, bootable: false, version, xattrMode: undefined }];
  });
  const boot = [...bootImages].sort(([a], [b]) => (a < b ? -1 : 1));
  return [...plain, ...boot.map(([key, id]) => ({ id, bootable: true, ...parseBootImageRefKey(key) }))];
}

/** What the key of a boot image says (spec 40 §14.2): `allowlist-only` where it names no mode that is known. */
function parseBootImageRefKey(key: string): Pick<LinkedErofsImage, 'version' | 'xattrMode'> {
  const [base = '', modeName] = key.split('.xattrs=', 2);
  const xattrMode = XATTR_FILTERINGS.find((mode) => mode === modeName) ?? 'allowlist-only';
  return { version: base.startsWith(BOOT_IMAGE_REF_KEY_V1) ? 1 : 2, xattrMode };
}
