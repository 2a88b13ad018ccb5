/**
 * What the mount shows (spec 50 §22): undefined is *direct*, the file system itself, files read from the objects. The
 * others are the lower layer of an overlay, with its xattrs in the namespace that it looks in; the files' content comes
 * from the overlay's data layer.
 */
export type OverlayXattrMode = 'user' | 'trusted';
