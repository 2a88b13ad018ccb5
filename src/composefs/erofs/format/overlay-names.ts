import { type ByteString, byteStringFromText, concatBytes, sliceBytes } from '../../../bytes/byte-string.js';

/** The xattrs by which overlayfs and composefs talk to each other (spec 20 §3.3 to §3.6, §10). */

export const OVERLAY_METACOPY: ByteString = byteStringFromText('trusted.overlay.metacopy');
export const OVERLAY_REDIRECT: ByteString = byteStringFromText('trusted.overlay.redirect');
export const OVERLAY_OPAQUE: ByteString = byteStringFromText('trusted.overlay.opaque');

export const ESCAPED_WHITEOUT: ByteString = byteStringFromText('trusted.overlay.overlay.whiteout');
export const ESCAPED_WHITEOUTS: ByteString = byteStringFromText('trusted.overlay.overlay.whiteouts');
export const ESCAPED_OPAQUE: ByteString = byteStringFromText('trusted.overlay.overlay.opaque');
export const USER_WHITEOUT: ByteString = byteStringFromText('user.overlay.whiteout');
export const USER_WHITEOUTS: ByteString = byteStringFromText('user.overlay.whiteouts');
export const USER_OPAQUE: ByteString = byteStringFromText('user.overlay.opaque');

const OVERLAY_PREFIX: ByteString = byteStringFromText('trusted.overlay.');
const ESCAPED_PREFIX: ByteString = byteStringFromText('trusted.overlay.overlay.');

/** Only names of overlayfs's own are escaped: the image's overlay mount would otherwise act on them. */
export function escapeOverlayName(name: ByteString): ByteString {
  return name.startsWith(OVERLAY_PREFIX) ? concatBytes(ESCAPED_PREFIX, sliceBytes(name, OVERLAY_PREFIX.length)) : name;
}

/** The name that was escaped; undefined if `name` is not an escaped one. */
export function unescapeOverlayName(name: ByteString): ByteString | undefined {
  return name.startsWith(ESCAPED_PREFIX)
    ? concatBytes(OVERLAY_PREFIX, sliceBytes(name, ESCAPED_PREFIX.length))
    : undefined;
}

export function isOverlayName(name: ByteString): boolean {
  return name.startsWith(OVERLAY_PREFIX);
}
