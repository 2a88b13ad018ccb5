/** Something in a tar is malformed; the parser makes a TarError of it, which says where. Never leaves `src/tar`. */
export class ParseFailure extends Error {}

/** A field of a header block is malformed. */
export class HeaderFailure extends ParseFailure {}
