import { type ByteString, byteStringFromText, concatBytes, sliceBytes } from '../bytes/byte-string.js';
import { escapeOverlayName, isOverlayName, unescapeOverlayName } from '../composefs/erofs/format/overlay-names.js';

const TRUSTED: ByteString = byteStringFromText('trusted.overlay.');
const USER: ByteString = byteStringFromText('user.overlay.');

/**
 * Under which name the mount lists what an image stores as `raw` (spec 50 §24.6); undefined if it does not.
 *
 * A name `user.overlay.` of the image itself could not be read in User mode, since the names of the overlay take its
 * place, so it is not listed either.
 */
export function shownXattrName(raw: ByteString, mode: OverlayXattrMode | undefined): ByteString | undefined {
  switch (mode) {
    case undefined:
      return isOverlayName(raw) ? unescapeOverlayName(raw) : raw;
    case 'user':
      if (raw.startsWith(USER)) return undefined;
      return raw.startsWith(TRUSTED) ? concatBytes(USER, sliceBytes(raw, TRUSTED.length)) : raw;
    case 'trusted':
      return raw;
  }
}

/** The inverse of {@link shownXattrName}: what to look for when `shown` is asked for. */
export function storedXattrName(shown: ByteString, mode: OverlayXattrMode | undefined): ByteString | undefined {
  switch (mode) {
    case undefined:
      return escapeOverlayName(shown);
    case 'user':
      if (shown.startsWith(TRUSTED)) return undefined;
      return shown.startsWith(USER) ? concatBytes(TRUSTED, sliceBytes(shown, USER.length)) : shown;
    case 'trusted':
      return shown;
  }
}

/**
 * What the mount shows (spec 50 §22): undefined is *direct*, the file system itself, files read from the objects. The
 * others are the lower layer of an overlay, with its xattrs in the namespace that it looks in; the files' content comes
 * from the overlay's data layer.
 */
export type OverlayXattrMode = 'user' | 'trusted';
