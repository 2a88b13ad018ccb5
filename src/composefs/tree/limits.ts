/** How long what a tree holds may be, in bytes, and how deep it may go, for those who read and write it. */

/** Inline content that dumpfiles and V2 images may have (spec 10 §2). The C tools take 5000. */
export const MAX_INLINE_CONTENT = 512;
/** The longest symlink target of dumpfiles in the form of composefs-rs, and of V2 images (spec 10 §2). */
export const SYMLINK_MAX = 1024;
/** The longest symlink target that there is: Linux has none longer, PATH_MAX without the NUL. */
export const SYMLINK_TARGET_MAX = 4095;
/** Directories in each other that an image may have: whoever reads one keeps them all open. */
export const MAX_TREE_DEPTH = 2048;
