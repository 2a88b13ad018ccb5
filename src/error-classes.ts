/**
 * The errors of this package: their classes, their codes, and what tells them apart.
 *
 * @module composefs-oci/errors
 */

export { AndroidBootError } from './boot/formats/android-boot.js';
export { UkiError } from './boot/formats/uki.js';
export { type HexErrorKind, HexParseError } from './bytes/hex.js';
export { DumpfileError } from './composefs/dumpfile/dumpfile-error.js';
export { ErofsReaderError, type ErofsReaderErrorKind } from './composefs/erofs/reader/errors.js';
export { InvalidTreeError, type InvalidTreeKind } from './composefs/erofs/writer/invalid-tree-error.js';
export { AlgorithmParseError } from './composefs/fsverity/algorithm.js';
export {
  CompareVerityError,
  EnableVerityError,
  type EnableVerityErrorKind,
  MeasureVerityError,
  type MeasureVerityErrorKind,
} from './composefs/fsverity/verity-error.js';
export {
  RepositoryClosedError,
  RepositoryOpenError,
  type RepositoryOpenErrorKind,
  UnsafePathError,
} from './composefs/repository/directory/open-error.js';
export { NotWritableError } from './composefs/repository/directory/writable.js';
export { ImageNotFoundError } from './composefs/repository/names/open-image.js';
export { ScanError } from './composefs/scan/scan-error.js';
export { SplitStreamError } from './composefs/splitstream/format.js';
export { ImageError, type ImageErrorKind } from './composefs/tree/image-error.js';
export { FileError, type FileErrorCode } from './composefs/view/file-error.js';
export { CompressionError } from './compression/stream/compression-error.js';
export {
  ERROR_CODES,
  type ErrorCode,
  type ErrorCodeOf,
  type ErrorDomain,
  type SystemErrorCode,
} from './error-codes.js';
export {
  ComposefsError,
  ContextError,
  causes,
  type ErrorDetails,
  errorChain,
  errorCode,
  findCause,
  fullMessage,
} from './errors.js';
export { JsonError } from './json/json.js';
export { SystemError } from './linux/errno.js';
export { BlobError, ImageSourceError, type SourceErrorCode } from './oci/blob/blob-error.js';
export { AuthFileError } from './oci/containers-config/auth-file.js';
export { CredentialHelperError, MissingHelperError } from './oci/containers-config/credential-helper.js';
export { RegistriesConfError } from './oci/containers-config/registries-conf.js';
export { LayerError } from './oci/layer/tar-entry.js';
export { OciDigestError } from './oci/model/digest.js';
export { ImageReferenceError } from './oci/model/image-reference.js';
export { RegistryError, type RegistryErrorCode, type RegistryErrorDetails } from './oci/model/registry-error.js';
export { DocumentError } from './oci/model/schema.js';
export { RefNameError } from './oci/model/tag.js';
export { PolicyRejection } from './oci/signatures/check-policy.js';
export { PolicyFormatError } from './oci/signatures/policy.js';
export { PublicKeyError } from './oci/signatures/public-key.js';
export { SkopeoError } from './oci/skopeo/proxy-error.js';
export { OciErofsNotFound, OciImageNotFound, OciRefNotFound } from './oci/store/errors.js';
export { StoreError } from './storage/store-error.js';
export { TarLimitError } from './tar/limits.js';
export { TarError } from './tar/tar-error.js';
