// The public declarations of the package, by name. Made at build; `npm run api` accepts a change of them.

// composefs-oci
export {
    BLOB_CONTENT_TYPE,
    BOOT_IMAGE_REF_KEY,
    BOOT_IMAGE_REF_KEY_V1,
    type BlobOutcome,
    type BootBuildOptions,
    type BootCheck,
    type BootImageMatch,
    type BootImageOptions,
    type BootLookupOptions,
    type BootProblem,
    type CheckBootOptions,
    type CompareImagesOptions,
    type Compared,
    type ComponentId,
    ComposefsError,
    type ConfigDocument,
    type ConfigRefs,
    type ContainerConfig,
    type Content,
    type ContentAndVerity,
    type CreateFilesystemOptions,
    type Credentials,
    type Descriptor,
    type DigestMatch,
    type Document,
    type DownloadLimits,
    DownloadSlots,
    type ExportOptions,
    type ExportTarget,
    type ExportTransport,
    type ExportedDigests,
    type FileCount,
    type FileToFind,
    type FilesystemOptions,
    type FindInLayersOptions,
    type Finding,
    type FindingState,
    type FoundFile,
    type FoundInLayer,
    FuseMount,
    type FuseMountOptions,
    type FuseRepository,
    type GivenCredentials,
    type HistoryEntry,
    type HistoryLayer,
    type HistoryStep,
    type HttpTimeouts,
    IMAGE_REF_KEY,
    IMAGE_REF_KEY_V1,
    type ImageConfiguration,
    type ImageFilesOptions,
    type ImageHistory,
    type ImageInfo,
    type ImageInspection,
    type ImageManifest,
    type ImageName,
    type ImageRules,
    type ImageUsage,
    type ImageUsageOptions,
    type ImportLayerOptions,
    type ImportStats,
    type InspectLayerOptions,
    type InspectOptions,
    type KeptThing,
    type KeySet,
    LAYER_CONTENT_TYPE,
    LAYER_RULES,
    type LayerInfo,
    type LayerLimits,
    type LayerRules,
    type LayerUsage,
    type LinkedErofsImage,
    type LinkedImages,
    type ListImagesOptions,
    type ListedImage,
    type LocalFetchOpt,
    type LoginOptions,
    type LoginTarget,
    type MachineReport,
    type ManifestDocument,
    type ManifestLinks,
    type MatchOptions,
    type MountEitherOptions,
    type MountOptions,
    type Mountable,
    type MtimeRule,
    type NamedConfig,
    NullReporter,
    OCI_REF_PREFIX,
    OciDigest,
    OciErofsNotFound,
    type OciFsckError,
    type OciFsckOptions,
    type OciFsckResult,
    OciImage,
    OciImageNotFound,
    OciRefNotFound,
    type OciTransformOptions,
    type OnMissingHelper,
    type OpenBlobOptions,
    type OpenConfig,
    type OpenConfigOptions,
    type OpenImageOptions,
    type Outcome,
    type OutgoingOptions,
    type OwnImage,
    type Platform,
    type PrepareBootOptions,
    type PreparedBoot,
    type ProgressEvent,
    type ProgressReporter,
    type ProgressUnit,
    type PruneOptions,
    type PrunedTag,
    type PullOptions,
    type PullResult,
    type PulledImage,
    type PulledLayer,
    type PulledStreams,
    type PushOptions,
    type PushResult,
    type PushTargetOptions,
    type ReadVia,
    type Recompression,
    type RegistryConfigOptions,
    type RegistryReference,
    type RetryObserver,
    type RetryPolicy,
    type RuleName,
    STANDARD_OUTPUT,
    STORE_KINDS,
    type SearchedLayer,
    type ServeEitherOptions,
    type ServeFuseOptions,
    type SharedReporter,
    type SharedUsage,
    type SplitstreamInfo,
    type StoreChoice,
    type StoreDriver,
    type StoreKind,
    type StoreSummary,
    type StoreUsage,
    type StoredImages,
    type TarEntry,
    type TarItem,
    type TarRules,
    type Transfer,
    type TreeChanges,
    type UpgradeOptions,
    type UpgradeResult,
    type WantedFile,
    XATTR_FILTERINGS,
    type XattrFiltering,
    addReferrer,
    blobIdentifier,
    bootImage,
    bootImageForMode,
    checkBoot,
    cleanupDanglingReferrers,
    compareImages,
    composefs_js as composefs,
    composefsBootErofsForConfig,
    composefsBootErofsForManifest,
    composefsErofsForConfig,
    composefsErofsForManifest,
    configIdentifier,
    createFilesystem,
    describeExplanation,
    describeRule,
    digestEncoded,
    errorChain,
    errorCode,
    exportImage,
    extractDiffIds,
    extractLayerIds,
    findCause,
    findCredentials,
    findErofsName,
    findFiles,
    findImage,
    findImageOfConfig,
    findInLayers,
    findKept,
    findLayer,
    findMatchingBootImage,
    findMountable,
    findRoot,
    findStream,
    formatOciFsckError,
    formatStats,
    fullMessage,
    generateBootImage,
    hasManifest,
    hostPlatform,
    imageHistory,
    imageUsage,
    importLayer,
    inspectImage,
    inspectMachine,
    isDigestText,
    isOciFsckOk,
    isTarMediaType,
    layerContentId,
    layerDumpfile,
    layerInfo,
    layerTar,
    linkedErofsImages,
    listImages,
    listLayoutTags,
    listLogins,
    listReferrers,
    listRefs,
    listStoredImages,
    login,
    logout,
    manifestIdentifier,
    matchDigest,
    mount,
    mountEither,
    mountFuse,
    newBytes,
    newObjects,
    nullReporter,
    ociFsck,
    ociFsckImage,
    openBlob,
    openConfig,
    openImageFiles,
    openLayerFiles,
    parseExportTarget,
    parseLoginTarget,
    parseOciDigest,
    parsePlatform,
    parsePushReference,
    parseXattrFiltering,
    prepareBoot,
    processEntry,
    pruneTags,
    pull,
    pullImage,
    pushImage,
    readTarEntries,
    removeBootImage,
    removeReferrer,
    removeReferrersForSubject,
    resolveConfig,
    resolveImage,
    resolveLayer,
    resolveRef,
    serveEither,
    serveFuse,
    sha256ContentDigest,
    storeUsage,
    tagImage,
    tagOfRef,
    totalObjects,
    transformForOci,
    untagImage,
    upgradeRepo,
    validateTag,
    writeBlob,
    writeConfig,
    writeConfigRaw,
    writeManifest,
};

// composefs-oci/composefs
export {
    ASPECTS,
    type Aspect,
    type ByteString,
    type Category,
    type CommitOptions,
    type CompareOptions,
    type ContentDestination,
    DEFAULT_ALGORITHM,
    DEFAULT_FORMAT_CONFIG,
    DEFAULT_FORMAT_VERSION,
    type Difference,
    type DifferenceGroup,
    type DifferenceKind,
    type DifferenceSummary,
    Directory,
    type EnsureStatus,
    type EntryState,
    type EntryType,
    type ErofsDialect,
    type ErofsOptions,
    type ExtractOptions,
    type ExtractResult,
    type FileTypeTests,
    type FormatConfig,
    type FormatVersion,
    FsVerityHasher,
    type FsckError,
    type FsckOptions,
    type FsckResult,
    type FsckResultWire,
    type GcOptions,
    type GcResult,
    type GcResultWire,
    type GraphOptions,
    HASH_ALGORITHMS,
    type HardlinkBehavior,
    type HashAlgorithm,
    type ImageDirent,
    ImageFileSystem,
    type ImageHost,
    type ImagePath,
    type ImageStats,
    type Inode,
    Leaf,
    type LeafContent,
    type LongCallOptions,
    Mount,
    type MountOptions$1 as MountOptions,
    type MountRestrictions,
    type MountableRepository,
    NO_XATTRS,
    type ObjectId,
    type ObjectOpener,
    type ObjectSource,
    type ObjectStore,
    type ObjectStoreMethod,
    type OpenImage,
    type OpenImageFileSystemOptions,
    type OpenOptions,
    type OpenStreamOptions,
    type ReadDirectoryOptions,
    type ReadFileOptions,
    type ReadStreamOptions,
    ReadableRepository,
    type Reason,
    type ReasonStep,
    type RefEntry,
    type RegularFile,
    Repository,
    type RepositoryConfig,
    type RepositoryFeatures,
    type RepositoryHost,
    type RepositoryMetadata,
    type SplitStreamData,
    type SplitStreamReader,
    type SplitStreamWriter,
    type Stat,
    type StoredObject,
    type StreamNames,
    type SweptFiles,
    type UnmountOptions,
    type Usage,
    type VerityRequirement,
    type Xattrs,
    byteStringFrom,
    byteStringFromText,
    byteStringToBuffer,
    byteStringToText,
    cloneTree,
    collectObjects,
    computeImageId,
    computeVerity,
    computeVerityOfFd,
    countLinks,
    deviceNumbers,
    digestSize,
    directories,
    dumpSingleDir,
    dumpSingleFile,
    dumpfilePieces,
    enableVerityMaybeCopy,
    ensureVerityEqual,
    fileSize,
    fileTypeBits,
    filterXattrs,
    findReasons,
    forEachStat,
    formatAlgorithm,
    formatFsckError,
    formatFsckResult,
    formatGcResult,
    formatObjectId,
    fsckReport,
    fsckResultToWire,
    gcResultToWire,
    getDirectory,
    getFile,
    getLeaf,
    groupDifferences,
    hasVerity,
    inferRepoAlgorithm,
    inodes,
    isFsckOk,
    isWhiteout,
    measureVerity,
    measureVerityOpt,
    mountImage,
    mountImageAt,
    objectIdFromBytes,
    objectIdToBytes,
    objectPathname,
    openImageFileSystem,
    parseAlgorithm,
    parseDumpfile,
    parseObjectId,
    readDirectory,
    readErofsTree,
    readFile,
    readFileChunks,
    readRepoAlgorithm,
    removeDevices,
    resetMetadata,
    resetMtimes,
    splitPath,
    summarise,
    systemPath,
    unmountImage,
    userPath,
    writeDumpfile,
    writeErofs,
};

// composefs-oci/boot
export {
    type AbootArtifact,
    type AbootEncoding,
    AbootEntry,
    AndroidBootImage,
    type AndroidComponent,
    type BootEntry,
    type BootFile,
    BootLoaderEntryFile,
    type BootPlan,
    type BootWriteOptions,
    ComposefsCmdline,
    type DigestValue,
    EFI_ADDON_DIR_EXT,
    EFI_ADDON_FILE_EXT,
    EFI_EXT,
    type FileBytes,
    type ImageArgument,
    type InstalledEntry,
    KARG_COMPOSEFS_DIGEST,
    KARG_V2,
    type KargVersion,
    type KernelArgument,
    OsReleaseInfo,
    type PEType,
    type PruneBootOptions,
    type PrunedBootEntries,
    type RemovedEntry,
    type StaleEntriesOptions,
    Type1Entry,
    Type2Entry,
    UsrLibModulesVmlinuz,
    type WrittenBootEntry,
    XATTR_SECURITY_SELINUX,
    addArgument,
    bytesOfFile,
    dequote,
    describeBootEntry,
    findSection,
    formatCmdline,
    getBootLabel,
    getBootResources,
    getCmdline,
    getCmdlineValue,
    getSection,
    getTextSection,
    imageArguments,
    keepBootImage,
    listInstalledEntries,
    makeCmdlineComposefs,
    openTreeFile,
    parseCmdline,
    parseDigestValue,
    planBootEntry,
    pruneBootEntries,
    quoteArgument,
    releaseBootImage,
    releaseBootImages,
    removeArgument,
    removeBootEntry,
    removeStaleBootEntries,
    removeUnneededBootEntries,
    resolveBootPlan,
    runningImages,
    runningRoots,
    selabel,
    selabelFromDir,
    splitCmdline,
    transformForBoot,
    transformForBootFromDir,
    uninstallBootEntry,
    writeBootEntry,
    writeBootSimple,
};

// composefs-oci/errors
export {
    AlgorithmParseError,
    AndroidBootError,
    AuthFileError,
    BlobError,
    CompareVerityError,
    ComposefsError,
    CompressionError,
    ContextError,
    CredentialHelperError,
    DocumentError,
    DumpfileError,
    ERROR_CODES,
    EnableVerityError,
    type EnableVerityErrorKind,
    ErofsReaderError,
    type ErofsReaderErrorKind,
    type ErrorCode,
    type ErrorCodeOf,
    type ErrorDetails,
    type ErrorDomain,
    FileError,
    type FileErrorCode,
    type HexErrorKind,
    HexParseError,
    ImageError,
    type ImageErrorKind,
    ImageNotFoundError,
    ImageReferenceError,
    ImageSourceError,
    InvalidTreeError,
    type InvalidTreeKind,
    JsonError,
    LayerError,
    MeasureVerityError,
    type MeasureVerityErrorKind,
    MissingHelperError,
    NotWritableError,
    OciDigestError,
    OciErofsNotFound,
    OciImageNotFound,
    OciRefNotFound,
    PolicyFormatError,
    PolicyRejection,
    PublicKeyError,
    RefNameError,
    RegistriesConfError,
    RegistryError,
    type RegistryErrorCode,
    type RegistryErrorDetails,
    RepositoryClosedError,
    RepositoryOpenError,
    type RepositoryOpenErrorKind,
    ScanError,
    SkopeoError,
    type SourceErrorCode,
    SplitStreamError,
    StoreError,
    SystemError,
    type SystemErrorCode,
    TarError,
    TarLimitError,
    UkiError,
    UnsafePathError,
    causes,
    errorChain,
    errorCode,
    findCause,
    fullMessage,
};

// composefs-oci/testing
export {
    type BlobContent,
    type Fault,
    type FaultCondition,
    type FaultHandle,
    type ImageIndex,
    type ImageInput,
    type LoggedRequest,
    type ManifestInput,
    type PutManifestOptions,
    RecordingReporter,
    type RegistryAction,
    type RegistryAuth,
    RegistryContents,
    type RepositoryContents,
    type StoredManifest,
    TestRegistry,
    type TestRegistryOptions,
    type TokenOptions,
    type UserOptions,
};

declare const ASPECTS: readonly Aspect[];

interface AbootArtifact {
    readonly path: ByteString;
    readonly file: RegularFile;
}

type AbootEncoding = 'androidV2' | 'uki';

declare class AbootEntry {
    readonly type = "aboot";
    readonly kver: string;
    readonly encoding: AbootEncoding;
    readonly payload: AbootArtifact;
    readonly vbmeta: AbootArtifact | undefined;
    constructor(kver: string, encoding: AbootEncoding, payload: AbootArtifact, vbmeta: AbootArtifact | undefined);
}

declare class AlgorithmParseError extends ComposefsError {
}

declare class AndroidBootError extends ComposefsError {
    readonly code: ErrorCodeOf<'boot'>;
    constructor(code: ErrorCodeOf<'boot'>, message: string, details?: ErrorDetails);
}

declare class AndroidBootImage {
    #private;
    private constructor();
    static parse(image: Uint8Array | FileBytes): AndroidBootImage;
    get headerSize(): number;
    component(name: AndroidComponent): Buffer;
    cmdline(): string;
}

type AndroidComponent = 'kernel' | 'ramdisk' | 'dtb';

type Aspect = 'type' | 'content' | 'target' | 'device' | 'links' | 'mode' | 'owner' | 'time' | 'xattrs';

declare class AuthFileError extends ComposefsError {
    constructor(path: string, message: string, details?: {
        cause?: unknown;
        hint?: string;
    });
}

declare const BLOB_CONTENT_TYPE = 7093007107895157615n;

declare const BOOT_IMAGE_REF_KEY = "composefs.image.boot";

declare const BOOT_IMAGE_REF_KEY_V1 = "composefs.image.boot.v1";

type BlobContent = Buffer | {
    readonly path: string;
    readonly size: number;
};

declare class BlobError extends ComposefsError {
    readonly code: SourceErrorCode;
    readonly digest: OciDigest;
    constructor(code: SourceErrorCode, digest: OciDigest, message: string, cause?: unknown, hint?: string);
}

type BlobOutcome = 'uploaded' | 'present' | 'mounted';

interface BootBuildOptions {
    readonly signal?: AbortSignal | undefined;
    readonly layerRules?: LayerRules | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface BootCheck {
    readonly problems: readonly BootProblem[];
    readonly entries: readonly string[];
    readonly entry: string | undefined;
    readonly image: ObjectId | undefined;
    readonly version: 1 | 2;
    readonly isLinked: boolean;
    readonly argument: string | undefined;
    readonly mismatch: {
        readonly expected: ObjectId;
        readonly explanation: DigestMatch;
    } | undefined;
}

type BootEntry = Type1Entry | Type2Entry | UsrLibModulesVmlinuz | AbootEntry;

interface BootFile {
    readonly path: ByteString;
    readonly content: RegularFile;
}

type BootImageMatch = {
    readonly found: true;
    readonly mode: XattrFiltering;
    readonly version: 1 | 2;
    readonly digest: ObjectId;
} | {
    readonly found: false;
    readonly tried: number;
};

interface BootImageOptions extends BootBuildOptions {
    readonly xattrs?: XattrFiltering | undefined;
}

declare class BootLoaderEntryFile {
    lines: string[];
    constructor(text: string);
    clone(): BootLoaderEntryFile;
    toString(): string;
    getValue(key: string): string | undefined;
    getValues(key: string): string[];
    mapValues(keys: readonly string[], map: (value: string) => string): void;
    addCmdline(argument: string): void;
    adjustCmdline(karg: string | undefined, extra: readonly string[]): void;
}

interface BootLookupOptions {
    readonly xattrs?: XattrFiltering | undefined;
}

interface BootPlan {
    readonly karg: ComposefsCmdline;
    readonly files: readonly BootFile[];
    readonly entry: BootFile;
    readonly type1?: Type1Entry | undefined;
    readonly bootSubdir: string | undefined;
}

interface BootProblem {
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
}

interface BootWriteOptions {
    readonly karg: ComposefsCmdline;
    readonly entryId?: string | undefined;
    readonly bootSubdir?: string | undefined;
    readonly cmdlineExtra?: readonly string[] | undefined;
    readonly addons?: boolean | undefined;
}

type ByteString = string & {
    readonly [brand$1]: 'ByteString';
};

type Category = 'images' | 'streams';

interface CheckBootOptions extends BootBuildOptions {
    readonly expected?: ObjectId | undefined;
}

interface CommitOptions {
    readonly signal?: AbortSignal | undefined;
}

interface CompareImagesOptions extends CompareOptions {
    readonly directoriesAsImages?: XattrFiltering | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface CompareOptions {
    readonly ignore?: Iterable<Aspect> | undefined;
    readonly renames?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
}

declare class CompareVerityError extends ComposefsError {
    readonly kind: 'measure' | 'digest-mismatch';
    constructor(kind: 'measure' | 'digest-mismatch', code: ErrorCode, message: string, cause?: unknown);
    static measure(cause: unknown): CompareVerityError;
    static mismatch(expected: ObjectId, found: ObjectId): CompareVerityError;
}

type Compared = {
    readonly kind: 'image';
    readonly image: OciImage;
} | {
    readonly kind: 'erofs';
    readonly name: string;
} | {
    readonly kind: 'directory';
    readonly path: string;
};

type ComponentId = string;

declare class ComposefsCmdline {
    readonly version: KargVersion;
    readonly algorithm: HashAlgorithm;
    readonly digest: ObjectId;
    readonly insecure: boolean;
    constructor(version: KargVersion, algorithm: HashAlgorithm, digest: ObjectId, insecure?: boolean);
    static fromCmdline(cmdline: string, algorithm: HashAlgorithm): ComposefsCmdline | undefined;
    toCmdlineArg(): string;
    validateDigest(acceptable: readonly ObjectId[]): ObjectId;
}

declare class ComposefsError extends Error {
    static [Symbol.hasInstance](value: unknown): boolean;
    readonly code: ErrorCode;
    readonly hint: string | undefined;
    constructor(code: ErrorCode, message: string, details?: ErrorDetails);
}

declare class CompressionError extends ComposefsError {
    readonly code: ErrorCodeOf<'compression'>;
    constructor(code: ErrorCodeOf<'compression'>, message: string, details?: ErrorDetails);
}

type ConfigDocument = Document<ImageConfiguration>;

interface ConfigRefs extends LinkedImages {
    readonly layerRefs: ReadonlyMap<string, ObjectId>;
    readonly bootImages: ReadonlyMap<string, ObjectId>;
}

interface ContainerConfig {
    readonly User?: string;
    readonly ExposedPorts?: KeySet;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly Volumes?: KeySet;
    readonly WorkingDir?: string;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly StopSignal?: string;
}

type Content = Iterable<Buffer> | AsyncIterable<Buffer>;

type ContentAndVerity = readonly [
    digest: OciDigest,
    verity: ObjectId
];

type ContentDestination = {
    readonly kind: 'repository';
    readonly objects: ObjectStore;
} | {
    readonly kind: 'flat-store';
    readonly path: string;
    readonly algorithm: HashAlgorithm;
} | {
    readonly kind: 'none';
    readonly algorithm: HashAlgorithm;
};

declare class ContextError extends ComposefsError {
    constructor(message: string, cause: unknown, hint?: string);
}

interface CreateFilesystemOptions extends FilesystemOptions {
    readonly configVerity?: ObjectId | undefined;
    readonly signal?: AbortSignal | undefined;
}

declare class CredentialHelperError extends ComposefsError {
    constructor(message: string, details?: {
        cause?: unknown;
        hint?: string;
    });
}

interface Credentials {
    readonly username?: string;
    readonly password?: string;
    readonly identityToken?: string;
    readonly origin: string;
}

declare const DEFAULT_ALGORITHM: HashAlgorithm;

declare const DEFAULT_FORMAT_CONFIG: FormatConfig;

declare const DEFAULT_FORMAT_VERSION: FormatVersion;

interface Descriptor {
    readonly mediaType: string;
    readonly digest: OciDigest;
    readonly size: number;
    readonly urls?: readonly string[];
    readonly annotations?: Readonly<Record<string, string>>;
    readonly platform?: Platform;
    readonly artifactType?: string;
    readonly data?: string;
}

type Difference = {
    readonly kind: 'added';
    readonly path: ByteString;
    readonly after: EntryState;
} | {
    readonly kind: 'removed';
    readonly path: ByteString;
    readonly before: EntryState;
} | {
    readonly kind: 'changed';
    readonly path: ByteString;
    readonly aspects: readonly Aspect[];
    readonly before: EntryState;
    readonly after: EntryState;
} | {
    readonly kind: 'renamed';
    readonly path: ByteString;
    readonly from: ByteString;
    readonly aspects: readonly Aspect[];
    readonly before: EntryState;
    readonly after: EntryState;
};

interface DifferenceGroup {
    readonly what: string;
    readonly count: number;
    readonly examples: readonly ByteString[];
}

type DifferenceKind = Difference['kind'];

interface DifferenceSummary {
    readonly kinds: Readonly<Record<DifferenceKind, number>>;
    readonly aspects: Readonly<Partial<Record<Aspect, number>>>;
    readonly addedBytes: number;
    readonly removedBytes: number;
}

type DigestMatch = {
    readonly kind: 'rules';
    readonly rules: ImageRules;
    readonly differing: readonly RuleName[];
    readonly changes?: TreeChanges;
} | {
    readonly kind: 'other';
    readonly what: string;
} | {
    readonly kind: 'stored';
    readonly format: FormatVersion;
    readonly changes: TreeChanges;
} | {
    readonly kind: 'unknown';
    readonly tried: readonly {
        readonly rules: ImageRules;
        readonly digest: ObjectId;
    }[];
    readonly impossible: readonly {
        readonly rules: ImageRules;
        readonly reason: string;
    }[];
};

interface DigestValue {
    readonly version: KargVersion;
    readonly algorithm: HashAlgorithm;
    readonly hex: string;
}

declare class Directory {
    #private;
    stat: Stat;
    constructor(stat: Stat);
    get size(): number;
    lookup(name: ByteString): Inode | undefined;
    insert(name: ByteString, inode: Inode): boolean;
    merge(name: ByteString, inode: Inode): void;
    remove(name: ByteString): void;
    clear(): void;
    names(): readonly ByteString[];
    inodes(): IterableIterator<Inode>;
    entries(): Generator<readonly [
        ByteString,
        Inode
    ]>;
}

interface Document<T> {
    readonly raw: Buffer;
    readonly digest: OciDigest;
    readonly value: T;
}

declare class DocumentError extends ComposefsError {
}

interface DownloadLimits {
    readonly total: number;
    readonly perHost: number;
}

declare class DownloadSlots {
    #private;
    readonly limits: DownloadLimits;
    constructor(limits?: DownloadLimits);
}

declare class DumpfileError extends ComposefsError {
    constructor(message: string, details?: ErrorDetails);
}

declare const EFI_ADDON_DIR_EXT = ".efi.extra.d";

declare const EFI_ADDON_FILE_EXT = ".addon.efi";

declare const EFI_EXT = ".efi";

declare const ERROR_CODES: {
    readonly general: {
        readonly ABORT_ERR: "a signal has ended the call";
        readonly TIMEOUT_ERR: "the time of a signal (`AbortSignal.timeout`) is over";
        readonly INTERNAL: "a fault of this package: please report it";
        readonly INTERRUPTED: "the command was told to stop";
        readonly INVALID_ARGUMENT: "an argument of a call does not fit";
        readonly USAGE: "the command line is wrong";
        readonly FFI_UNAVAILABLE: "calls of the C library cannot be made: the optional package with them is not installed";
        readonly PROC_UNAVAILABLE: "/proc is not mounted";
        readonly WORKER_EXITED: "a worker thread ended before its work";
        readonly WORKER_MISSING: "the module that a thread runs is not beside the code that starts it, as in a bundle without it";
        readonly POOL_CLOSED: "work was given to threads that have been told to end";
        readonly SENDER_FAILED: "a thread that was to hand on data has failed";
        readonly LOCK_FAILED: "a lock cannot be taken";
        readonly TOO_MANY_FDS: "more descriptors than one message may carry";
        readonly SPOOL_DISPOSED: "a temporary file was used after its end";
        readonly SPOOL_READ: "a temporary file was written to after it had been read";
        readonly INVALID_MOUNTINFO: "the mount table of the kernel cannot be read";
        readonly USERNS_UNAVAILABLE: "this user cannot have a user namespace";
        readonly NOT_FOUND: "the registry, or the image, does not have what is asked for";
        readonly IS_A_TERMINAL: "data will not be written to a terminal";
        readonly NO_TERMINAL: "there is no terminal to ask on";
        readonly NO_ANSWER: "nobody has answered a question";
    };
    readonly files: {
        readonly NOT_A_FILE: "something else is in the place of a regular file";
        readonly NOT_A_DIRECTORY: "something else is in the place of a directory";
        readonly IS_A_DIRECTORY: "a directory is in the place of a file";
        readonly FILE_CHANGED: "a file changed while it was read";
        readonly FILE_TYPE_CHANGED: "an entry became one of another type while a directory was scanned";
        readonly FILE_TOO_LARGE: "a file is larger than what is read whole";
        readonly WRONG_FILE_SIZE: "an object does not have the size that the image states";
        readonly WRONG_SIZE: "what was to be written has another size than was announced";
        readonly SIZE_MISMATCH: "content does not have the size that the caller stated";
        readonly INVALID_NAME: "text that cannot be a file name";
        readonly UNEXPECTED_FILE_TYPE: "an entry is of a type that cannot be there";
    };
    readonly values: {
        readonly INVALID_HEX: "text that is not hexadecimal, or not of the right length";
        readonly INVALID_JSON: "text that is not JSON, or not of the right form";
        readonly JSON_TOO_LARGE: "a JSON text beyond its bound";
        readonly INTEGER_TOO_LARGE: "a number beyond 2^53";
        readonly UNEXPECTED_FIELD: "a field that is missing, unknown or of another type";
        readonly NOTHING_TO_READ: "a settings file is no regular file, or has no end";
    };
    readonly verity: {
        readonly ALGORITHM_INVALID_BLOCK_SIZE: "the block size of an algorithm is not a number";
        readonly ALGORITHM_MISSING_PREFIX: "an algorithm does not begin with `fsverity-`";
        readonly ALGORITHM_MISSING_SEPARATOR: "an algorithm has no block size";
        readonly ALGORITHM_UNKNOWN_HASH: "neither sha256 nor sha512";
        readonly ALGORITHM_UNSUPPORTED_BLOCK_SIZE: "another block size than 4096";
        readonly HASHER_ENDED: "data was added after the digest was taken";
        readonly INVALID_BLOCK: "a block that is not 4096 bytes long";
        readonly INVALID_OBJECT_ID: "bytes that are not as long as a digest";
        readonly VERITY_NOT_SUPPORTED: "the file system, or the kernel, has no fs-verity";
        readonly VERITY_ALREADY_ENABLED: "the file has fs-verity already";
        readonly VERITY_FILE_BUSY: "the file is open for writing, so that fs-verity cannot be enabled";
        readonly VERITY_SIGNATURE_REJECTED: "the kernel rejects the signature of a file";
        readonly VERITY_MISSING: "a file that must have fs-verity has none";
        readonly VERITY_DIGEST_MISMATCH: "the kernel measures another digest than the one expected";
        readonly VERITY_INVALID_DIGEST_ALGORITHM: "the kernel measures with another algorithm";
        readonly VERITY_INVALID_DIGEST_SIZE: "the kernel measures a digest of another length";
        readonly VERITY_REQUIRED: "the repository does not require fs-verity, and the caller does";
        readonly VERITY_UNAVAILABLE: "a file cannot be checked, and was to be";
    };
    readonly repository: {
        readonly AMBIGUOUS_OBJECT: "several objects can be meant";
        readonly AMBIGUOUS_STREAM: "several streams can be meant";
        readonly ALREADY_INITIALIZED: "there is a repository of another configuration";
        readonly ALGORITHM_MISMATCH: "the repository has another algorithm";
        readonly METADATA_MISSING: "there is no meta.json, so this is no repository";
        readonly METADATA_INVALID: "meta.json cannot be read";
        readonly OLD_FORMAT_REPOSITORY: "a repository from before meta.json";
        readonly UNSUPPORTED_VERSION: "a repository of a version that is not known";
        readonly INCOMPATIBLE_FEATURES: "the repository has features that are not known";
        readonly REPOSITORY_CLOSED: "the repository has been closed";
        readonly REPOSITORY_BUSY: "the repository is being collected";
        readonly REPOSITORY_NOT_WRITABLE: "this user may not write to the repository";
        readonly REPOSITORY_READ_ONLY: "features that are not known forbid to write to the repository";
        readonly FOREIGN_OWNER: "the repository belongs to another user, who would be trusted";
        readonly REPOSITORY_NOT_FOUND: "there is no repository where one was to be";
        readonly HOME_NOT_SET: "HOME does not say where the repository of the user is";
        readonly NO_REPO: "the command needs a repository";
        readonly NO_OBJECTS: "a directory holds no objects to tell its algorithm by";
        readonly MISSING_OBJECT: "an object is not in the repository";
        readonly DIGEST_MISMATCH: "content does not have the digest that it must have";
        readonly DANGLING_REF: "a reference leads nowhere";
        readonly INVALID_LINK: "a link in the repository leads to what it cannot lead to";
        readonly UNSAFE_PATH: "a symbolic link or a mount in the repository leads out of it";
        readonly DEADLOCK: "a call would wait for what it is a part of";
        readonly WRITER_ENDED: "an object was written to after its end";
        readonly ZEROCOPY_FAILED: "a file cannot be stored without a copy, and was to be";
        readonly FSCK_FAILED: "a check has found faults";
    };
    readonly images: {
        readonly IMAGE_NOT_FOUND: "there is no EROFS image of that name";
        readonly INVALID_IMAGE: "the bytes are no composefs image that can be read";
        readonly IMAGE_TOO_LARGE: "an image is larger than what is read into memory";
        readonly INVALID_TREE: "a tree cannot be written as an image";
        readonly OUTPUT_TOO_LARGE: "an image would be larger than can be";
        readonly INVALID_FILENAME: "a name that no entry of a tree can have";
        readonly ENTRY_NOT_FOUND: "there is no such entry in a tree";
        readonly NOT_A_REGULAR_FILE: "an entry of a tree is no regular file";
        readonly TOO_MANY_LINKS: "a path leads through too many symbolic links";
        readonly INVALID_DUMPFILE: "a line of a dumpfile cannot be read";
        readonly INVALID_SPLITSTREAM: "a splitstream cannot be read";
        readonly INVALID_STREAM: "a stream is not what its name says";
        readonly REFERENCE_ORDER: "objects of a splitstream do not come in their order";
        readonly INVALID_XATTR_FILTERING: "a way of filtering xattrs that is not known";
        readonly UNSUPPORTED_FORMAT: "OCI images cannot be linked to images of this format";
    };
    readonly mounts: {
        readonly NOT_COMPOSEFS: "a file is no composefs image";
        readonly NOT_MOUNTED: "nothing is mounted there";
        readonly UNMOUNT: "not everything could be unmounted";
        readonly OVERLAY_UNAVAILABLE: "overlayfs cannot be mounted here";
        readonly FUSERMOUNT: "fusermount3 has failed";
        readonly FUSERMOUNT_MISSING: "fusermount3, which mounts for ordinary users, is not installed";
        readonly FUSE_SERVER: "the process that serves a FUSE mount has ended";
        readonly DAMAGED_OBJECT: "an object is not what the mounted image says";
    };
    readonly compression: {
        readonly COMPRESSED_DATA_INVALID: "compressed data is damaged";
        readonly COMPRESSED_DATA_TRUNCATED: "compressed data ends too early";
        readonly COMPRESSED_TRAILING_DATA: "something follows compressed data";
        readonly COMPRESSION_UNSUPPORTED: "a kind of compression that cannot be read";
        readonly INVALID_COMPRESSION_LEVEL: "a level that the kind of compression does not have";
        readonly ZSTD_BUSY: "two streams use one encoder at once";
        readonly ZSTD_UNAVAILABLE: "the bundled encoder, which is WebAssembly, cannot start: no addresses for its memory";
        readonly ZSTD_VERSION: "the encoder is not libzstd 1.5.7, whose bytes splitstreams are made of";
    };
    readonly layers: {
        readonly INVALID_TAR: "a tar cannot be read";
        readonly INVALID_LAYER: "a layer cannot be applied, or is not stored as it must be";
        readonly LAYER_TOO_LARGE: "a layer goes beyond a bound";
        readonly LAYER_NOT_FOUND: "the repository has no such layer";
        readonly NOT_A_LAYER: "what is stored under the digest is the blob of an artifact";
        readonly MISSING_LAYER: "an image names a layer that the repository does not have";
        readonly LAYER_COUNT_MISMATCH: "manifest and config do not have as many layers";
        readonly DIFF_ID_MISMATCH: "a layer is not the tar that its diff_id names";
    };
    readonly oci: {
        readonly OCI_REF_NOT_FOUND: "there is no such tag, or no such image";
        readonly OCI_IMAGE_NOT_FOUND: "the manifest is not in the repository";
        readonly OCI_EROFS_NOT_FOUND: "no EROFS image of that kind is linked to the image";
        readonly NO_IMAGE: "no EROFS image is linked to the image";
        readonly NOT_A_CONTAINER_IMAGE: "an artifact has no file system";
        readonly AMBIGUOUS_LAYER: "several layers of the image can be meant";
        readonly AMBIGUOUS_IMAGE: "several images can be meant";
        readonly CONFIG_REF_MISSING: "a stored manifest does not link its config";
        readonly INVALID_DIGEST: "text that is no digest";
        readonly UNSUPPORTED_DIGEST: "a digest of an algorithm that cannot be computed";
        readonly INVALID_DOCUMENT: "a manifest, config or index is not of the right form";
        readonly INVALID_REF: "a tag leads to what is no manifest";
        readonly INVALID_REF_NAME: "text that cannot be a tag";
        readonly INVALID_PLATFORM: "text that is no platform";
        readonly UNSUPPORTED_DELTA: "a delta artifact cannot be applied";
        readonly UNSUPPORTED_MEDIA_TYPE: "a layer of a media type that cannot be read";
    };
    readonly sources: {
        readonly INVALID_IMAGE_REFERENCE: "text that names no image";
        readonly AMBIGUOUS_SHORT_NAME: "a short name stands for several images";
        readonly SHORT_NAME_NOT_FOUND: "no registry of registries.conf has the short name";
        readonly INDEX_NOT_FOUND: "a directory or archive has no index";
        readonly TAG_NOT_FOUND: "there is no image of that tag";
        readonly PLATFORM_NOT_FOUND: "an index has no image for the platform";
        readonly NESTED_INDEX: "indexes are in each other too deep";
        readonly UNEXPECTED_MEDIA_TYPE: "a document of another media type than was asked for";
        readonly INVALID_ARCHIVE: "an archive is not as it must be";
        readonly ARCHIVE_TOO_LARGE: "an archive goes beyond a bound";
        readonly REFERRERS_UNSUPPORTED: "the source cannot tell what refers to an image";
        readonly BLOB_NOT_FOUND: "a blob is missing in its source";
        readonly BLOB_NOT_AVAILABLE: "a source has what a blob contains, and not the blob that is to be kept";
        readonly BLOB_NOT_A_FILE: "a blob is no regular file";
        readonly BLOB_SIZE_MISMATCH: "a blob does not have the size of its descriptor";
        readonly BLOB_DIGEST_MISMATCH: "a blob does not have the digest of its descriptor";
        readonly BLOB_TOO_LARGE: "a blob is larger than what is read whole";
        readonly BLOB_TRUNCATED: "a blob in an archive is cut off";
        readonly SOURCE_MOVED: "a file was replaced while it was read";
        readonly SKOPEO_NOT_FOUND: "skopeo, which the transport needs, is not installed";
        readonly SKOPEO_TOO_OLD: "this skopeo cannot hand out what is asked for";
        readonly SKOPEO_FAILED: "skopeo refuses";
        readonly SKOPEO_EXITED: "skopeo has ended too early";
        readonly SKOPEO_PROTOCOL: "skopeo answers what it cannot answer";
    };
    readonly export: {
        readonly DIGEST_WOULD_CHANGE: "the manifest would not be the one that was pulled, and the caller has not agreed";
        readonly NOT_A_LAYOUT: "a directory is no OCI layout to add an image to";
    };
    readonly registry: {
        readonly UNAUTHORIZED: "the registry wants a login (401)";
        readonly DENIED: "the registry denies access (403)";
        readonly TOOMANYREQUESTS: "too many requests (429)";
        readonly MANIFEST_UNKNOWN: "the registry does not have the manifest (404)";
        readonly NAME_UNKNOWN: "the registry does not have the repository (404)";
        readonly BLOB_UNKNOWN: "the registry does not have the blob (404)";
        readonly REGISTRY_FAILED: "the registry has failed (5xx)";
        readonly UNEXPECTED_STATUS: "the registry answers with another status";
        readonly BAD_RESPONSE: "an answer that is not HTTP, or not what the protocol has";
        readonly RESPONSE_TOO_LARGE: "an answer goes beyond a bound";
        readonly INVALID_REQUEST: "a request that cannot be sent";
        readonly TIMEOUT: "the registry is silent, or too slow";
        readonly TLS_CERTIFICATE: "the certificate of the registry is not trusted";
        readonly TLS_EXPECTED: "the registry does not speak TLS";
        readonly TLS_FAILED: "the TLS connection cannot be made";
        readonly TLS_MATERIAL: "a certificate or key in a file cannot be used";
        readonly TOO_MANY_REDIRECTS: "a request is redirected again and again";
        readonly INSECURE_REDIRECT: "a redirection leads from TLS to none";
        readonly INSECURE_TOKEN_REALM: "credentials would go to a token server without TLS";
        readonly INVALID_PROXY: "the address of a proxy cannot be used";
        readonly PROXY_REFUSED: "the proxy refuses the connection";
        readonly NO_ENDPOINT: "registries.conf leaves no place to ask";
        readonly REGISTRY_BLOCKED: "registries.conf blocks the registry";
        readonly INVALID_REGISTRIES_CONF: "registries.conf cannot be read";
        readonly INVALID_AUTH_FILE: "a file of credentials cannot be read or written";
        readonly CREDENTIAL_HELPER: "a credential helper has failed";
        readonly INVALID_USERNAME: "a user name that cannot be sent";
        readonly EMPTY_USERNAME: "no user name was given";
        readonly EMPTY_PASSWORD: "no password was given";
        readonly NOT_LOGGED_IN: "there are no credentials for the registry";
    };
    readonly signatures: {
        readonly POLICY_REJECTED: "policy.json does not accept the image";
        readonly POLICY_UNREADABLE: "policy.json cannot be read";
        readonly INVALID_POLICY: "policy.json is not of the right form";
        readonly INVALID_PUBLIC_KEY: "a public key cannot be used";
    };
    readonly storage: {
        readonly STORE_NOT_FOUND: "there is no store of containers/storage";
        readonly IMAGE_NOT_IN_STORE: "the store does not have the image";
        readonly LAYER_NOT_IN_STORE: "the store does not have a layer of the image";
        readonly LAYER_FILE_CHANGED: "a file of a layer was changed in the store";
        readonly LAYER_NOT_REBUILDABLE: "the store has not kept what it takes to rebuild the tar of a layer";
        readonly NAMESPACE_PROCESS: "the process that reads the store of a user has failed";
        readonly STORE_DRIVER_UNSUPPORTED: "a store of a driver whose layers cannot be read";
        readonly INVALID_STORE: "records of a store are not of the right form";
        readonly INVALID_STORE_REFERENCE: "text that names no image of a store";
        readonly INVALID_STORAGE_CONF: "storage.conf cannot be read";
        readonly INVALID_TAR_SPLIT: "the records that a tar is rebuilt from are damaged";
    };
    readonly boot: {
        readonly CANNOT_BOOT: "a machine cannot boot from the image";
        readonly NO_BOOT_ENTRIES: "the image has nothing to boot from";
        readonly NO_BOOT_ENTRY_LEFT: "nothing to boot from would be left";
        readonly NO_KERNEL: "an entry has no kernel";
        readonly NO_INITRAMFS: "an entry has no initramfs";
        readonly BOOT_ENTRY_NOT_FOUND: "there is no such boot loader entry";
        readonly BOOT_IMAGE_NOT_FOUND: "the image has no boot image";
        readonly INVALID_BOOT_ENTRY: "a boot loader entry cannot be read";
        readonly INVALID_ENTRY_ID: "text that cannot name an entry";
        readonly BOOT_FILE_IN_USE: "another entry needs a file that would be replaced";
        readonly BOOT_PARTITION_BUSY: "another process writes to the boot partition";
        readonly NOT_A_UKI: "a file is no unified kernel image";
        readonly UKI_SECTION_MISSING: "a UKI lacks a section";
        readonly UKI_SECTION_TOO_LARGE: "a section of a UKI goes beyond a bound";
        readonly UKI_SECTION_NOT_UTF8: "a section of a UKI is no text";
        readonly UKI_NO_NAME: "a UKI does not say what system it is";
        readonly UKI_CMDLINE: "the command line of a UKI cannot be changed";
        readonly UKI_WITHOUT_KARG: "the command line of a UKI names no image";
        readonly WRONG_UKI_DIGEST: "the command line of a UKI names another image";
        readonly NOT_AN_ANDROID_BOOT_IMAGE: "a file is no Android boot image";
        readonly ANDROID_BOOT_INVALID: "an Android boot image is damaged";
        readonly ANDROID_BOOT_VERSION: "an Android boot image of a version that is not known";
        readonly ANDROID_BOOT_NO_COMPONENT: "an Android boot image lacks a part";
        readonly ABOOT_UNSUPPORTED: "an aboot payload cannot be installed";
        readonly INVALID_KARG: "a `composefs` argument of the kernel cannot be read";
        readonly INVALID_KERNEL_ARGUMENT: "text that cannot be an argument of the kernel";
        readonly NO_KARG: "the kernel command line names no image";
        readonly INVALID_CONFIG: "setup-root-conf.toml cannot be read";
        readonly INVALID_SELINUX_POLICY: "a line of an SELinux policy cannot be used";
        readonly UNSUPPORTED_SELINUX_PATTERN: "a pattern of an SELinux policy cannot be translated";
        readonly SELINUX_POLICY_TOO_COMPLEX: "patterns of an SELinux policy would take too long";
        readonly SELINUX_POLICY_TOO_LARGE: "an SELinux policy goes beyond a bound";
    };
};

declare class EnableVerityError extends ComposefsError {
    readonly kind: EnableVerityErrorKind;
    constructor(kind: EnableVerityErrorKind, code: ErrorCode, message: string, cause?: unknown);
    static from(error: unknown): EnableVerityError;
}

type EnableVerityErrorKind = 'filesystem-not-supported' | 'already-enabled' | 'file-opened-for-write' | 'signature-verification-failed' | 'io';

type EnsureStatus = 'opened' | 'created' | 'upgraded';

interface EntryState {
    readonly type: EntryType;
    readonly stat: Stat;
    readonly size: number;
    readonly rdev: number;
    readonly target?: ByteString;
    readonly object?: ObjectId;
}

type EntryType = 'directory' | LeafContent['type'];

type ErofsDialect = 'composefs-rs' | 'mkcomposefs';

interface ErofsOptions {
    readonly version: FormatVersion;
    readonly algorithm: HashAlgorithm;
    readonly dialect?: ErofsDialect;
}

declare class ErofsReaderError extends ComposefsError {
    readonly kind: ErofsReaderErrorKind;
    constructor(kind: ErofsReaderErrorKind, message: string);
}

type ErofsReaderErrorKind = 'invalid-image' | 'invalid-inode' | 'out-of-bounds' | 'directory-hardlinks' | 'depth-exceeded' | 'invalid-self-reference' | 'invalid-parent-reference' | 'duplicate-entry';

type ErrorCode = ErrorCodeOf<ErrorDomain> | SystemErrorCode;

type ErrorCodeOf<Domain extends ErrorDomain> = {
    [D in Domain]: keyof (typeof ERROR_CODES)[D];
}[Domain];

interface ErrorDetails {
    readonly cause?: unknown;
    readonly hint?: string;
}

type ErrorDomain = keyof typeof ERROR_CODES;

interface ExportOptions extends OutgoingOptions {
    readonly replace?: boolean | undefined;
    readonly dryRun?: boolean | undefined;
    readonly referrers?: boolean | undefined;
    readonly output?: ((content: Content) => Promise<void>) | undefined;
    readonly onPrepared?: ((digests: ExportedDigests) => void) | undefined;
}

interface ExportTarget {
    readonly transport: ExportTransport;
    readonly path: string;
    readonly tag?: string;
}

type ExportTransport = 'oci' | 'oci-archive' | 'docker-archive' | 'dir' | 'tar';

interface ExportedDigests {
    readonly manifestDigest: OciDigest | undefined;
    readonly configDigest: OciDigest;
    readonly pulledDigest: OciDigest;
    readonly referrers?: readonly OciDigest[];
}

interface ExtractOptions {
    readonly owners?: boolean | undefined;
    readonly xattrs?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface ExtractResult {
    entries: number;
    bytes: number;
    skippedXattrs: number;
    skippedDevices: number;
}

type Fault = {
    readonly type: 'status';
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly code?: string;
    readonly message?: string;
    readonly body?: string | Buffer;
} | {
    readonly type: 'redirect';
    readonly location: string | ((pathAndQuery: string) => string);
    readonly status?: 301 | 302 | 303 | 307 | 308;
} | {
    readonly type: 'disconnect';
} | {
    readonly type: 'cut';
    readonly afterBytes: number;
    readonly reset?: boolean;
} | {
    readonly type: 'cut-upload';
    readonly afterBytes: number;
} | {
    readonly type: 'stall';
    readonly afterBytes: number;
} | {
    readonly type: 'slow';
    readonly bytesPerSecond?: number;
    readonly delayMs?: number;
} | {
    readonly type: 'corrupt';
    readonly offset?: number;
} | {
    readonly type: 'ignore-range';
} | {
    readonly type: 'headers';
    readonly headers: Readonly<Record<string, string | undefined>>;
};

interface FaultCondition {
    readonly path?: string | RegExp;
    readonly method?: string;
    readonly hasRange?: boolean;
    readonly nth?: number | readonly number[] | ((n: number) => boolean);
}

interface FaultHandle {
    readonly hits: number;
    remove(): void;
}

interface FileBytes {
    readonly size: number;
    read(offset: number, length: number): Buffer;
}

interface FileCount {
    readonly files: number;
    readonly bytes: number;
}

declare class FileError extends ComposefsError {
    readonly code: FileErrorCode;
    readonly syscall: string;
    readonly path: string;
    constructor(code: FileErrorCode, syscall: string, path: ByteString);
}

type FileErrorCode = 'ENOENT' | 'ENOTDIR' | 'EISDIR' | 'ELOOP' | 'ENAMETOOLONG' | 'EINVAL';

interface FileToFind {
    readonly name: string;
    readonly path: string;
    readonly size: number;
    readonly object: ObjectId | undefined;
}

declare class FileTypeTests {
    #private;
    readonly mode: number;
    constructor(mode: number);
    isFile(): boolean;
    isDirectory(): boolean;
    isSymbolicLink(): boolean;
    isBlockDevice(): boolean;
    isCharacterDevice(): boolean;
    isFIFO(): boolean;
    isSocket(): boolean;
}

interface FilesystemOptions extends OciTransformOptions {
    readonly layerRules?: LayerRules | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface FindInLayersOptions extends Pick<LongCallOptions, 'signal' | 'progress'> {
    readonly layer?: string | undefined;
}

interface Finding extends Outcome {
    readonly check: string;
    readonly title: string;
    readonly necessary: boolean;
}

type FindingState = 'ok' | 'limited' | 'missing';

interface FormatConfig {
    readonly default: FormatVersion;
    readonly extra: readonly FormatVersion[];
}

type FormatVersion = 0 | 1 | 2;

interface FoundFile extends FileToFind {
    readonly image: string;
}

interface FoundInLayer extends FileToFind, SearchedLayer {
}

declare class FsVerityHasher {
    #private;
    static readonly VERITY_BLOCK_SIZE: number;
    constructor(algorithm: HashAlgorithm);
    update(chunk: Uint8Array): this;
    updateZeros(length: number): this;
    addBlock(block: Uint8Array): this;
    digest(): ObjectId;
    reset(): this;
}

type FsckError = {
    readonly type: 'object-invalid-name';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'object-open-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'object-digest-mismatch';
    readonly path: string;
    readonly measured: string;
} | {
    readonly type: 'object-verity-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'object-verity-missing';
    readonly path: string;
} | {
    readonly type: 'entry-not-symlink';
    readonly path: string;
} | {
    readonly type: 'broken-symlink';
    readonly path: string;
} | {
    readonly type: 'wrong-link';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'stat-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'unexpected-file-type';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'stream-open-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'missing-object-ref';
    readonly path: string;
    readonly objectId: string;
} | {
    readonly type: 'stream-read-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'missing-named-ref';
    readonly path: string;
    readonly refName: string;
    readonly objectId: string;
} | {
    readonly type: 'object-check-failed';
    readonly path: string;
    readonly objectId: string;
    readonly detail: string;
} | {
    readonly type: 'image-open-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'image-read-failed';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'image-invalid';
    readonly path: string;
    readonly detail: string;
} | {
    readonly type: 'image-missing-object';
    readonly path: string;
    readonly objectId: string;
} | {
    readonly type: 'metadata-parse-failed';
    readonly detail: string;
} | {
    readonly type: 'metadata-algorithm-mismatch';
    readonly expected: string;
    readonly actual: string;
};

interface FsckOptions extends LongCallOptions {
    readonly metadataOnly?: boolean | undefined;
    readonly ownThread?: boolean | undefined;
}

interface FsckResult {
    readonly hasMetadata: boolean;
    readonly objectsChecked: number;
    readonly objectsCorrupted: number;
    readonly streamsChecked: number;
    readonly streamsCorrupted: number;
    readonly imagesChecked: number;
    readonly imagesCorrupted: number;
    readonly brokenLinks: number;
    readonly missingObjects: number;
    readonly errors: readonly FsckError[];
}

interface FsckResultWire {
    readonly ok: boolean;
    readonly has_metadata: boolean;
    readonly objects_checked: number;
    readonly objects_corrupted: number;
    readonly streams_checked: number;
    readonly streams_corrupted: number;
    readonly images_checked: number;
    readonly images_corrupted: number;
    readonly broken_links: number;
    readonly missing_objects: number;
    readonly errors: readonly string[];
}

declare class FuseMount extends Mount {
    readonly pid: number;
    constructor(path: string, pid: number);
}

interface FuseMountOptions extends MountRestrictions {
    readonly overlay?: MountOptions$1['overlay'];
    readonly readWrite?: boolean | undefined;
    readonly mode?: 'direct' | 'overlay' | undefined;
    readonly verify?: boolean | undefined;
    readonly allowOther?: boolean | undefined;
    readonly passthrough?: boolean | undefined;
    readonly threads?: number | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface FuseRepository extends MountableRepository {
    readonly algorithm: HashAlgorithm;
    openImage(name: string): {
        readonly fd: number;
        readonly id: ObjectId;
        readonly enableVerity: boolean;
    };
}

interface GcOptions extends LongCallOptions {
    readonly keepNewerThan?: number | undefined;
    readonly dryRun?: boolean | undefined;
    readonly roots?: readonly string[] | undefined;
}

interface GcResult {
    readonly objectsRemoved: number;
    readonly objectsBytes: number;
    readonly imagesPruned: number;
    readonly streamsPruned: number;
    readonly leftovers?: SweptFiles;
    readonly danglingRefs?: readonly string[];
}

interface GcResultWire {
    readonly objects_removed: number;
    readonly objects_bytes: number;
    readonly images_pruned: number;
    readonly streams_pruned: number;
    readonly leftovers?: SweptFiles;
    readonly dangling_refs?: readonly string[];
}

interface GivenCredentials {
    readonly username: string;
    readonly password: string;
    readonly host?: string | undefined;
}

interface GraphOptions {
    readonly signal?: AbortSignal | undefined;
    readonly threads?: number | undefined;
    readonly progress?: ProgressReporter | undefined;
    readonly only?: ObjectId | undefined;
}

declare const HASH_ALGORITHMS: readonly HashAlgorithm[];

type HardlinkBehavior = 'tracked' | 'break';

type HashAlgorithm = 'sha256' | 'sha512';

type HexErrorKind = 'odd-length' | 'invalid-string-length' | 'invalid-hex-character';

declare class HexParseError extends ComposefsError {
    readonly kind: HexErrorKind;
    readonly index: number;
    constructor(kind: HexErrorKind, message: string, index?: number);
}

interface HistoryEntry {
    readonly created?: string;
    readonly author?: string;
    readonly created_by?: string;
    readonly comment?: string;
    readonly empty_layer?: boolean;
}

interface HistoryLayer {
    readonly diffId: string;
    readonly size: number;
    readonly compressedSize: number | undefined;
    readonly entries: number;
    readonly hides: FileCount;
}

interface HistoryStep extends Omit<HistoryEntry, 'empty_layer'> {
    readonly layer: HistoryLayer | undefined;
}

interface HttpTimeouts {
    readonly connectMs: number;
    readonly headersMs: number;
    readonly idleMs: number;
    readonly totalMs: number;
    readonly minBytesPerSecond: number;
    readonly rateMs: number;
}

declare const IMAGE_REF_KEY = "composefs.image";

declare const IMAGE_REF_KEY_V1 = "composefs.image.v1";

interface ImageArgument {
    readonly algorithm: HashAlgorithm;
    readonly digest: ObjectId;
    readonly insecure: boolean;
}

interface ImageConfiguration {
    readonly created?: string;
    readonly author?: string;
    readonly architecture: string;
    readonly os: string;
    readonly 'os.version'?: string;
    readonly 'os.features'?: readonly string[];
    readonly variant?: string;
    readonly config?: ContainerConfig;
    readonly rootfs: {
        readonly type: string;
        readonly diff_ids: readonly string[];
    };
    readonly history?: readonly HistoryEntry[];
}

declare class ImageDirent extends FileTypeTests {
    #private;
    readonly stats: ImageStats;
    get name(): string;
    get parentPath(): string;
    get path(): string;
    get pathBytes(): Buffer;
}

declare class ImageError extends ComposefsError {
    readonly kind: ImageErrorKind;
    readonly filename: ByteString;
    constructor(kind: ImageErrorKind, filename: ByteString);
}

type ImageErrorKind = 'invalid-filename' | 'not-found' | 'not-a-directory' | 'is-a-directory' | 'is-not-regular' | 'too-many-links';

declare class ImageFileSystem {
    #private;
    constructor(image: Buffer, objects: ObjectOpener, options?: {
        readonly verify?: boolean | undefined;
    });
    stat(path: ImagePath): Promise<ImageStats>;
    lstat(path: ImagePath): Promise<ImageStats>;
    access(path: ImagePath): Promise<void>;
    realpath(path: ImagePath): Promise<string>;
    readlink(path: ImagePath): Promise<string>;
    readlink(path: ImagePath, options: {
        readonly encoding: 'buffer';
    }): Promise<Buffer>;
    xattrs(path: ImagePath, options?: {
        readonly followSymlinks?: boolean;
    }): Promise<Map<string, Buffer>>;
    readdir(path: ImagePath): Promise<string[]>;
    readdir(path: ImagePath, options: {
        readonly withFileTypes: true;
    }): Promise<ImageDirent[]>;
    walk(path?: ImagePath): AsyncGenerator<ImageDirent>;
    readFile(path: ImagePath, options?: ReadFileOptions & {
        readonly encoding?: null | undefined;
    }): Promise<Buffer>;
    readFile(path: ImagePath, options: BufferEncoding | (ReadFileOptions & {
        readonly encoding: BufferEncoding;
    })): Promise<string>;
    createReadStream(path: ImagePath, options?: ReadStreamOptions): Readable;
    extract(path: ImagePath, destination: string, options?: ExtractOptions): Promise<ExtractResult>;
}

interface ImageFilesOptions {
    readonly signal?: AbortSignal | undefined;
    readonly verify?: boolean | undefined;
}

interface ImageHistory {
    readonly steps: readonly HistoryStep[];
    readonly size: number;
    readonly hidden: FileCount;
    readonly wasted: FileCount;
}

interface ImageHost {
    readonly objects: ObjectOpener;
    openImage(name: string): {
        readonly fd: number;
        readonly id: ObjectId;
        readonly enableVerity: boolean;
    };
}

interface ImageIndex {
    readonly schemaVersion: number;
    readonly mediaType?: string;
    readonly artifactType?: string;
    readonly manifests: readonly Descriptor[];
    readonly subject?: Descriptor;
    readonly annotations?: Readonly<Record<string, string>>;
}

interface ImageInfo {
    readonly name: string;
    readonly manifestDigest: OciDigest;
    readonly isContainer: boolean;
    readonly architecture: string;
    readonly os: string;
    readonly created: string | null;
    readonly layerCount: number;
    readonly referrerCount: number;
}

interface ImageInput {
    readonly manifest: ManifestInput;
    readonly blobs: Iterable<Uint8Array>;
}

interface ImageInspection {
    readonly manifest: Buffer;
    readonly config: Buffer;
    readonly referrers: readonly OciDigest[];
    readonly composefsErofs: ObjectId | undefined;
    readonly composefsBootErofs: ObjectId | undefined;
}

interface ImageManifest {
    readonly schemaVersion: number;
    readonly mediaType?: string;
    readonly artifactType?: string;
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
    readonly subject?: Descriptor;
    readonly annotations?: Readonly<Record<string, string>>;
}

interface ImageName {
    readonly digest: OciDigest;
    readonly manifestVerity: ObjectId | undefined;
}

declare class ImageNotFoundError extends ComposefsError {
    readonly imageName: string;
    constructor(name: string);
}

type ImagePath = string | Uint8Array;

declare class ImageReferenceError extends ComposefsError {
    constructor(message: string, hint?: string);
}

interface ImageRules {
    readonly format: FormatVersion;
    readonly kind: 'plain' | 'boot';
    readonly xattrs: XattrFiltering | 'all';
    readonly layerRules: LayerRules;
    readonly algorithm: HashAlgorithm;
    readonly labels: 'policy' | 'none';
    readonly mtimes: MtimeRule;
    readonly missingLayers: number;
}

declare class ImageSourceError extends ComposefsError {
    readonly code: SourceErrorCode;
    constructor(code: SourceErrorCode, message: string, details?: ErrorDetails);
}

declare class ImageStats extends FileTypeTests {
    readonly ino: number;
    readonly nlink: number;
    readonly uid: number;
    readonly gid: number;
    readonly rdev: number;
    readonly size: number;
    readonly mtime: Date;
    readonly mtimeMs: number;
    readonly mtimeSec: number;
    readonly mtimeNsec: number;
    readonly object: ObjectId | undefined;
}

interface ImageUsage extends SharedUsage {
    readonly name: string;
    readonly manifestDigest: OciDigest | undefined;
    readonly tags: readonly string[];
    readonly otherRefs: readonly string[];
    readonly freed: Usage;
    readonly freedLinks: Usage;
    readonly layers: readonly LayerUsage[];
}

interface ImageUsageOptions {
    readonly images?: readonly OciImage[] | undefined;
    readonly layers?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly threads?: number | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface ImportLayerOptions {
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
    readonly layerLimits?: LayerLimits | undefined;
}

interface ImportStats {
    readonly layers: number;
    readonly layersAlreadyPresent: number;
    readonly objectsCopied: number;
    readonly objectsReflinked: number;
    readonly objectsHardlinked: number;
    readonly objectsAlreadyPresent: number;
    readonly bytesCopied: number;
    readonly bytesReflinked: number;
    readonly bytesHardlinked: number;
    readonly bytesInlined: number;
}

type Inode = Directory | Leaf;

interface InspectLayerOptions {
    readonly signal?: AbortSignal | undefined;
}

interface InspectOptions {
    readonly probeTimeout?: number;
    readonly signal?: AbortSignal | undefined;
    readonly probeProcess?: string;
}

interface InstalledEntry {
    readonly path: ByteString;
    readonly images: readonly ImageArgument[];
    readonly files: readonly ByteString[];
}

declare class InvalidTreeError extends ComposefsError {
    readonly kind: InvalidTreeKind;
    constructor(kind: InvalidTreeKind, message: string, cause?: unknown);
}

type InvalidTreeKind = 'linked-whiteout' | 'linked-directory' | 'name' | 'symlink-target' | 'device-number' | 'file-size' | 'inline-size' | 'digest' | 'stat' | 'xattr' | 'image-size';

declare class JsonError extends ComposefsError {
}

declare const KARG_COMPOSEFS_DIGEST = "composefs.digest";

declare const KARG_V2 = "composefs";

type KargVersion = 1 | 2;

interface KeptThing {
    readonly kind: 'object' | 'stream' | 'image';
    readonly name: string;
    readonly id: ObjectId;
}

interface KernelArgument {
    readonly key: string;
    readonly value: string | undefined;
}

type KeySet = Readonly<Record<string, Readonly<Record<string, never>>>>;

declare const LAYER_CONTENT_TYPE = 8243128152309195631n;

declare const LAYER_RULES: readonly LayerRules[];

declare class LayerError extends ComposefsError {
    constructor(message: string, hint?: string);
}

interface LayerInfo {
    readonly diffId: OciDigest;
    readonly verity: ObjectId;
    readonly size: number;
    readonly entryCount: number;
    readonly splitstream: SplitstreamInfo;
}

interface LayerLimits {
    readonly maxEntries?: number | undefined;
    readonly maxBytes?: number | undefined;
}

type LayerRules = 'oci' | 'reference';

interface LayerUsage extends SharedUsage {
    readonly layer: string;
    readonly freed: Usage;
}

declare class Leaf {
    stat: Stat;
    content: LeafContent;
    constructor(stat: Stat, content: LeafContent);
}

type LeafContent = {
    readonly type: 'regular';
    readonly file: RegularFile;
} | {
    readonly type: 'block-device';
    readonly rdev: number;
} | {
    readonly type: 'character-device';
    readonly rdev: number;
} | {
    readonly type: 'fifo';
} | {
    readonly type: 'socket';
} | {
    readonly type: 'symlink';
    readonly target: ByteString;
};

interface LinkedErofsImage {
    readonly id: ObjectId;
    readonly bootable: boolean;
    readonly version: 1 | 2;
    readonly xattrMode: XattrFiltering | undefined;
}

interface LinkedImages {
    readonly image?: ObjectId | undefined;
    readonly imageV1?: ObjectId | undefined;
    readonly bootImages?: ReadonlyMap<string, ObjectId>;
}

interface ListImagesOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onWarning?: (message: string) => void;
}

interface ListedImage {
    readonly store: string;
    readonly driver: StoreDriver;
    readonly id: string;
    readonly names: readonly string[];
    readonly manifestDigest: string | undefined;
    readonly created: string | undefined;
    readonly layerCount: number;
    readonly size: number | undefined;
}

type LocalFetchOpt = 'disabled' | 'if-possible' | 'zero-copy';

interface LoggedRequest {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<NodeJS.Dict<string | string[]>>;
    status: number | undefined;
    bytesSent: number;
    readonly faults: readonly Fault[];
}

interface LoginOptions extends RegistryConfigOptions {
    readonly verify?: ((target: LoginTarget, credentials: GivenCredentials) => Promise<void>) | undefined;
}

interface LoginTarget {
    readonly host: string;
    readonly repository: string | undefined;
    readonly key: string;
}

interface LongCallOptions {
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
    readonly threads?: number | undefined;
}

interface MachineReport {
    readonly ok: boolean;
    readonly findings: readonly Finding[];
}

type ManifestDocument = Document<ImageManifest>;

type ManifestInput = Uint8Array | ImageManifest | ImageIndex;

interface ManifestLinks {
    readonly configDigest: OciDigest;
    readonly configVerity: ObjectId;
    readonly layers: readonly (readonly [
        string,
        ObjectId
    ])[];
}

interface MatchOptions {
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
    readonly usual?: Partial<ImageRules> | undefined;
}

declare class MeasureVerityError extends ComposefsError {
    readonly kind: MeasureVerityErrorKind;
    constructor(kind: MeasureVerityErrorKind, code: ErrorCode, message: string, cause?: unknown);
    static from(error: unknown, algorithm: HashAlgorithm): MeasureVerityError;
    static invalidSize(expected: HashAlgorithm): MeasureVerityError;
    static invalidAlgorithm(expected: HashAlgorithm, found: number): MeasureVerityError;
}

type MeasureVerityErrorKind = 'verity-missing' | 'filesystem-not-supported' | 'invalid-digest-size' | 'invalid-digest-algorithm' | 'io';

declare class MissingHelperError extends CredentialHelperError {
    readonly helper: string;
    constructor(name: string, cause?: unknown);
    withCause(cause: unknown): MissingHelperError;
}

declare class Mount implements AsyncDisposable {
    #private;
    readonly path: string;
    constructor(path: string);
    unmount(options?: UnmountOptions): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}

interface MountEitherOptions extends MountRestrictions {
    readonly with?: 'auto' | 'kernel' | 'fuse' | undefined;
    readonly upperDir?: string | undefined;
    readonly workDir?: string | undefined;
    readonly readWrite?: boolean | undefined;
    readonly verify?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface MountOptions extends MountEitherOptions {
    readonly bootable?: boolean | undefined;
    readonly nodev?: boolean | undefined;
}

interface MountOptions$1 extends MountRestrictions {
    readonly noAcl?: boolean;
    readonly overlay?: {
        readonly upperFd: number;
        readonly workFd: number;
    };
    readonly source?: string;
    readonly readWrite?: boolean;
    readonly idmapFd?: number;
}

interface MountRestrictions {
    readonly nosuid?: boolean | undefined;
    readonly nodev?: boolean | undefined;
    readonly noexec?: boolean | undefined;
}

type Mountable = OciImage | string;

interface MountableRepository {
    openObjectsDirectory(): number;
    openImage(name: string): {
        readonly fd: number;
        readonly enableVerity: boolean;
    };
}

type MtimeRule = 'standard' | 'up-to-0.9.2' | 'whole-seconds';

declare const NO_XATTRS: Xattrs;

interface NamedConfig {
    readonly digest: OciDigest;
    readonly configVerity: ObjectId | undefined;
    readonly image: OciImage | undefined;
}

declare class NotWritableError extends ComposefsError {
}

declare class NullReporter implements ProgressReporter {
    report(): void;
}

declare const OCI_REF_PREFIX = "oci/";

type ObjectId = string & {
    readonly [brand$2]: 'ObjectId';
};

interface ObjectOpener {
    readonly algorithm: HashAlgorithm;
    openObject(id: ObjectId): number;
}

interface ObjectSource {
    readonly algorithm: HashAlgorithm;
    readObjectChunks(id: ObjectId): Iterable<Buffer>;
}

declare class ObjectStore {
    #private;
    get algorithm(): HashAlgorithm;
    get insecure(): boolean;
    get objectsPath(): string;
    path(id: ObjectId): string;
    has(id: ObjectId): boolean;
    openObject(id: ObjectId): number;
    openIntact(id: ObjectId, atFirstSight?: (fd: number) => void): number;
    isIntact(id: ObjectId): boolean;
    readObject(id: ObjectId, limit?: number): Buffer;
    readObjectChunks(id: ObjectId): Generator<Buffer>;
    readIntactChunks(id: ObjectId): Generator<Buffer>;
    ensureWritable(): void;
    ensureObject(data: Uint8Array): ObjectId;
    storeObject(data: Uint8Array): StoredObject;
    ensureObjectFromChunks(chunks: Iterable<Uint8Array>, expectedSize?: number): StoredObject;
    ensureObjectFromFd(fd: number, size: number): ObjectId;
    hasSize(id: ObjectId, size: number): boolean;
    sizeOf(id: ObjectId): number | undefined;
}

type ObjectStoreMethod = 'reflinked' | 'hardlinked' | 'copied' | 'already-present';

type OciDigest = string & {
    readonly [brand]: 'OciDigest';
};

declare const OciDigest: {
    readonly parse: (text: string) => OciDigest;
};

declare class OciDigestError extends ComposefsError {
    constructor(message: string);
}

declare class OciErofsNotFound extends ComposefsError {
    readonly digest: string;
    readonly bootable: boolean;
    constructor(digest: string, bootable: boolean);
}

type OciFsckError = {
    readonly type: 'manifest-read-failed';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'manifest-digest-mismatch';
    readonly name: string;
    readonly expected: string;
    readonly actual: string;
} | {
    readonly type: 'manifest-parse-failed';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'config-ref-missing';
    readonly name: string;
    readonly digest: string;
} | {
    readonly type: 'config-link-mismatch';
    readonly name: string;
    readonly digest: string;
    readonly expected: string;
    readonly actual: string;
} | {
    readonly type: 'config-read-failed';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'config-digest-mismatch';
    readonly name: string;
    readonly expected: string;
    readonly actual: string;
} | {
    readonly type: 'config-parse-failed';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'layer-ref-missing';
    readonly name: string;
    readonly diffId: string;
} | {
    readonly type: 'layer-stream-missing';
    readonly name: string;
    readonly diffId: string;
} | {
    readonly type: 'layer-check-failed';
    readonly name: string;
    readonly diffId: string;
    readonly detail: string;
} | {
    readonly type: 'layer-object-missing';
    readonly name: string;
    readonly diffId: string;
    readonly detail: string;
} | {
    readonly type: 'layer-digest-mismatch';
    readonly name: string;
    readonly diffId: string;
    readonly detail: string;
} | {
    readonly type: 'linked-image-missing';
    readonly name: string;
    readonly digest: string;
    readonly detail: string;
} | {
    readonly type: 'stream-digest-mismatch';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'seal-image-missing';
    readonly name: string;
    readonly digest: string;
    readonly detail: string;
} | {
    readonly type: 'artifact-layer-ref-missing';
    readonly name: string;
    readonly digest: string;
} | {
    readonly type: 'artifact-layer-object-missing';
    readonly name: string;
    readonly digest: string;
    readonly detail: string;
} | {
    readonly type: 'ref-resolve-failed';
    readonly name: string;
    readonly detail: string;
} | {
    readonly type: 'invalid-ref-name';
    readonly name: string;
};

type OciFsckOptions = Omit<FsckOptions, 'metadataOnly'>;

interface OciFsckResult {
    readonly repoResult: FsckResult;
    readonly imagesChecked: number;
    readonly imagesCorrupted: number;
    readonly errors: readonly OciFsckError[];
}

declare class OciImage {
    #private;
    readonly manifestDigest: OciDigest;
    readonly manifestVerity: ObjectId;
    readonly manifest: ImageManifest;
    readonly configVerity: ObjectId;
    readonly config: ImageConfiguration | undefined;
    readonly layerRefs: ReadonlyMap<string, ObjectId>;
    readonly blobRefs: ReadonlyMap<string, ObjectId>;
    private constructor();
    static open(repo: ReadableRepository, digest: OciDigest, { manifestVerity }?: OpenImageOptions): OciImage;
    static openRef(repo: ReadableRepository, tag: string): OciImage;
    get configDigest(): OciDigest;
    isContainerImage(): boolean;
    artifactType(): string | undefined;
    layerVerity(key: string): ObjectId | undefined;
    layerDiffIds(): readonly string[];
    layerDescriptors(): readonly Descriptor[];
    imageRef(version: FormatVersion): ObjectId | undefined;
    bootImageRef(version: FormatVersion, mode?: XattrFiltering): ObjectId | undefined;
    bootImageRefs(): ReadonlyMap<string, ObjectId>;
    erofsImageRef(repo: ReadableRepository, bootable: boolean): ObjectId;
    hasErofsId(id: ObjectId): boolean;
    allErofsImages(): LinkedErofsImage[];
    linkedErofsImages(id: ObjectId): LinkedErofsImage[];
    readFilesystem(repo: ReadableRepository, bootable: boolean, options?: {
        readonly signal?: AbortSignal | undefined;
    }): Promise<Directory>;
    mount(repo: ReadableRepository, bootable: boolean, options?: MountOptions$1): number;
    mountAt(repo: ReadableRepository, bootable: boolean, path: string, options?: MountOptions$1): Mount;
    architecture(): string;
    os(): string;
    created(): string | undefined;
    labels(): Readonly<Record<string, string>> | undefined;
    label(key: string): string | undefined;
    readManifestJson(repo: ReadableRepository): Buffer;
    readConfigJson(repo: ReadableRepository): Buffer;
    openLayerFd(repo: ReadableRepository, index: number): number;
}

declare class OciImageNotFound extends ComposefsError {
    readonly digest: string;
    constructor(digest: string, cause?: unknown);
}

declare class OciRefNotFound extends ComposefsError {
    readonly ref: string;
    constructor(ref: string);
}

interface OciTransformOptions {
    readonly xattrs?: XattrFiltering | undefined;
    readonly strict?: boolean | undefined;
}

type OnMissingHelper = (error: MissingHelperError) => void;

interface OpenBlobOptions {
    readonly blobVerity?: ObjectId | undefined;
}

interface OpenConfig extends ConfigRefs {
    readonly config: ImageConfiguration;
    readonly raw: Buffer;
}

interface OpenConfigOptions {
    readonly configVerity?: ObjectId | undefined;
}

interface OpenImage {
    readonly fd: number;
    readonly id: ObjectId;
    readonly enableVerity: boolean;
}

interface OpenImageFileSystemOptions {
    readonly verify?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface OpenImageOptions {
    readonly manifestVerity?: ObjectId | undefined;
}

interface OpenOptions {
    readonly algorithm?: HashAlgorithm | undefined;
    readonly insecure?: boolean | undefined;
    readonly allowForeignOwner?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface OpenStreamOptions {
    readonly id?: ObjectId | undefined;
    readonly contentType?: bigint | undefined;
}

declare class OsReleaseInfo {
    #private;
    constructor(text: string);
    getValue(keys: readonly string[]): string | undefined;
    getPrettyName(): string | undefined;
    getVersion(): string | undefined;
    getBootLabel(): string | undefined;
}

interface Outcome {
    readonly state: FindingState;
    readonly detail: string;
    readonly remedy?: string | undefined;
}

interface OutgoingOptions {
    readonly recompress?: Recompression | undefined;
    readonly level?: number | undefined;
    readonly threads?: number | undefined;
    readonly progress?: ProgressReporter | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface OwnImage {
    readonly version: FormatVersion;
    readonly layerCount: number;
}

type PEType = 'uki' | 'ukiAddon' | 'globalUkiAddon';

interface Platform {
    readonly architecture: string;
    readonly os: string;
    readonly 'os.version'?: string;
    readonly 'os.features'?: readonly string[];
    readonly variant?: string;
}

declare class PolicyFormatError extends ComposefsError {
    constructor(origin: string, reason: string);
}

declare class PolicyRejection extends ComposefsError {
}

interface PrepareBootOptions extends BootBuildOptions {
    readonly bootPartition: string;
    readonly stateRoot: string;
    readonly entryId?: string | undefined;
    readonly cmdline?: readonly string[] | undefined;
    readonly verifyLayers?: boolean | undefined;
    readonly addons?: boolean | undefined;
    readonly dryRun?: boolean | undefined;
}

interface PreparedBoot {
    readonly image: ObjectId;
    readonly argument: string;
    readonly plan: BootPlan;
    readonly written: WrittenBootEntry | undefined;
    readonly stateDirectories: readonly string[];
}

type ProgressEvent = {
    readonly type: 'plan';
    readonly total: number;
    readonly present: number;
    readonly unit: ProgressUnit;
} | {
    readonly type: 'started';
    readonly id: ComponentId;
    readonly total?: number;
    readonly present?: number;
    readonly unit: ProgressUnit;
} | {
    readonly type: 'progress';
    readonly id: ComponentId;
    readonly fetched: number;
    readonly total?: number;
} | {
    readonly type: 'skipped';
    readonly id: ComponentId;
} | {
    readonly type: 'done';
    readonly id: ComponentId;
    readonly transferred: number;
} | {
    readonly type: 'message';
    readonly text: string;
    readonly level?: 'warning';
};

interface ProgressReporter {
    report(event: ProgressEvent): void;
}

type ProgressUnit = 'bytes' | 'items';

interface PruneBootOptions {
    readonly dryRun?: boolean | undefined;
    readonly force?: boolean | undefined;
}

interface PruneOptions {
    readonly olderThan: number;
    readonly keep?: number | undefined;
    readonly dryRun?: boolean | undefined;
    readonly now?: number | undefined;
}

interface PrunedBootEntries {
    readonly removed: readonly RemovedEntry[];
    readonly released: readonly string[];
}

interface PrunedTag {
    readonly tag: string;
    readonly manifestDigest: OciDigest;
    readonly taggedAt: number;
}

declare class PublicKeyError extends ComposefsError {
    constructor(where: string, reason: string, cause?: unknown);
}

interface PullOptions {
    readonly progress?: ProgressReporter | undefined;
    readonly platform?: Platform | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly concurrency?: number | undefined;
    readonly ownThread?: boolean | undefined;
    readonly registry?: RegistryConfigOptions | undefined;
    readonly timeouts?: Partial<HttpTimeouts> | undefined;
    readonly retry?: Partial<RetryPolicy> | undefined;
    readonly downloads?: DownloadSlots | undefined;
    readonly via?: 'skopeo' | undefined;
    readonly localFetch?: LocalFetchOpt | undefined;
    readonly stores?: StoreChoice | undefined;
    readonly signaturePolicy?: string | undefined;
    readonly referrers?: boolean | undefined;
    readonly keepBlobs?: boolean | undefined;
    readonly bootable?: boolean | undefined;
    readonly layerRules?: LayerRules | undefined;
    readonly layerLimits?: LayerLimits | undefined;
}

interface PullResult {
    readonly manifestDigest: OciDigest;
    readonly manifestVerity: ObjectId;
    readonly configDigest: OciDigest;
    readonly configVerity: ObjectId;
    readonly stats: ImportStats;
    readonly via: ReadVia;
    readonly transfer: Transfer;
    readonly layers: readonly PulledLayer[];
    readonly images: readonly PulledImage[];
    readonly bootImage?: ObjectId | undefined;
    readonly referrers: readonly OciDigest[];
}

interface PulledImage {
    readonly version: 1 | 2;
    readonly id: ObjectId;
}

interface PulledLayer {
    readonly key: OciDigest;
    readonly blob: Descriptor;
    readonly wasPresent: boolean;
    readonly transfer: Transfer;
}

type PulledStreams = Pick<PullResult, 'manifestDigest' | 'manifestVerity' | 'configDigest' | 'configVerity'>;

interface PushOptions extends OutgoingOptions, PushTargetOptions {
    readonly referrers?: boolean | undefined;
    readonly dryRun?: boolean | undefined;
    readonly onPrepared?: ((digests: {
        readonly manifestDigest: OciDigest;
    }) => void) | undefined;
}

interface PushResult {
    readonly reference: string;
    readonly manifestDigest: OciDigest;
    readonly configDigest: OciDigest;
    readonly pulledDigest: OciDigest;
    readonly blobs: readonly {
        readonly digest: OciDigest;
        readonly size: number;
        readonly outcome: BlobOutcome;
    }[];
    readonly referrers: readonly OciDigest[];
}

interface PushTargetOptions {
    readonly registry?: RegistryConfigOptions | undefined;
    readonly timeouts?: Partial<HttpTimeouts> | undefined;
    readonly retry?: Partial<RetryPolicy> | undefined;
    readonly observe?: RetryObserver | undefined;
    readonly chunkSize?: number | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface PutManifestOptions {
    readonly tag?: string;
    readonly mediaType?: string;
}

interface ReadDirectoryOptions {
    readonly hardlinks?: HardlinkBehavior;
    readonly readXattrs?: ((path: Buffer) => Xattrs) | undefined;
    readonly destination: ContentDestination;
    readonly threads?: number | undefined;
    readonly ownThread?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface ReadFileOptions {
    readonly encoding?: BufferEncoding | null | undefined;
    readonly limit?: number | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface ReadStreamOptions {
    readonly start?: number | undefined;
    readonly end?: number | undefined;
    readonly signal?: AbortSignal | undefined;
}

type ReadVia = 'files' | 'registry' | 'skopeo' | 'store' | 'store-in-user-namespace';

declare class ReadableRepository implements RepositoryHost {
    #private;
    readonly metadata: RepositoryMetadata;
    protected constructor(directory: never);
    static open(path: string, options?: OpenOptions): Promise<ReadableRepository>;
    get path(): string;
    get fd(): number;
    get algorithm(): HashAlgorithm;
    get insecure(): boolean;
    setInsecure(): void;
    requireVerity(): void;
    get objects(): ObjectStore;
    formatConfig(): FormatConfig;
    get erofsVersion(): FormatVersion;
    setErofsVersion(version: FormatVersion): void;
    hold<T>(action: () => Promise<T> | T): Promise<T>;
    use<T>(action: () => Promise<T>): Promise<T>;
    hasStream(contentIdentifier: string): ObjectId | undefined;
    hasNamedStream(ref: string): boolean;
    openStream(name: string, options?: OpenStreamOptions): SplitStreamReader;
    mergeSplitstream(name: string, options?: OpenStreamOptions): Generator<Buffer>;
    hasImage(id: ObjectId): boolean;
    openImage(name: string): OpenImage;
    openObjectsDirectory(): number;
    listStreamRefs(prefix?: string): RefEntry[];
    listImageRefs(prefix?: string): RefEntry[];
    objectsForImage(name: string, options?: LongCallOptions): Promise<Set<ObjectId>>;
    readImageTree(name: string, options?: Pick<LongCallOptions, 'signal'>): Promise<Directory>;
    fsck({ metadataOnly, threads, ...options }?: FsckOptions): Promise<FsckResult>;
    get writeConcurrency(): number;
    setWriteConcurrency(count: number): void;
    close(): void;
    [Symbol.dispose](): void;
    [Symbol.asyncDispose](): Promise<void>;
}

interface Reason {
    readonly category: Category;
    readonly name: string;
    readonly id: ObjectId;
    readonly refs: readonly string[];
    readonly steps: readonly ReasonStep[];
}

interface ReasonStep {
    readonly key: string | undefined;
    readonly id: ObjectId;
    readonly stream: string | undefined;
}

type Recompression = 'same' | 'gzip' | 'zstd' | 'none';

declare class RecordingReporter implements ProgressReporter {
    readonly events: ProgressEvent[];
    report(event: ProgressEvent): void;
}

type RefEntry = readonly [
    name: string,
    linkText: string
];

declare class RefNameError extends ComposefsError {
    constructor(message: string);
}

declare class RegistriesConfError extends ComposefsError {
    constructor(path: string, message: string, cause?: unknown);
}

type RegistryAction = string;

type RegistryAuth = {
    readonly type: 'none';
} | {
    readonly type: 'refuse-credentials';
} | ({
    readonly type: 'basic';
} & UserOptions) | ({
    readonly type: 'bearer';
} & UserOptions & TokenOptions);

interface RegistryConfigOptions {
    readonly registriesConf?: string | undefined;
    readonly authFile?: string | undefined;
    readonly certDir?: string | undefined;
    readonly tlsVerify?: boolean | undefined;
    readonly credentials?: GivenCredentials | undefined;
    readonly environment?: NodeJS.ProcessEnv | undefined;
    readonly systemConfigDir?: string | undefined;
    readonly signal?: AbortSignal | undefined;
}

declare class RegistryContents {
    #private;
    get names(): string[];
    get(name: string): RepositoryContents | undefined;
    ensure(name: string): RepositoryContents;
}

declare class RegistryError extends ComposefsError {
    readonly code: RegistryErrorCode;
    readonly status: number | undefined;
    readonly retriable: boolean;
    readonly retryAfterMs: number | undefined;
    constructor(code: RegistryErrorCode, message: string, details?: RegistryErrorDetails);
}

type RegistryErrorCode = ErrorCodeOf<'registry' | 'sources' | 'oci'> | SystemErrorCode | 'NOT_FOUND' | 'INTERNAL';

interface RegistryErrorDetails extends ErrorDetails {
    readonly status?: number;
    readonly retriable?: boolean;
    readonly retryAfterMs?: number;
}

interface RegistryReference {
    readonly host: string;
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: OciDigest;
}

type RegularFile = {
    readonly storage: 'inline';
    readonly data: Buffer;
} | {
    readonly storage: 'external';
    readonly id: ObjectId;
    readonly size: number;
    readonly payload?: ByteString;
} | {
    readonly storage: 'external-no-verity';
    readonly payload: ByteString;
    readonly size: number;
} | {
    readonly storage: 'sparse';
    readonly size: number;
};

interface RemovedEntry {
    readonly entry: ByteString;
    readonly images: readonly ImageArgument[];
    readonly files: readonly ByteString[];
}

declare class Repository extends ReadableRepository {
    #private;
    private constructor();
    static open(path: string, options?: OpenOptions): Promise<Repository>;
    static openUser(options?: OpenOptions): Promise<Repository>;
    static openSystem(options?: OpenOptions): Promise<Repository>;
    static init(path: string, config?: RepositoryConfig): Promise<{
        repo: Repository;
        created: boolean;
    }>;
    static openUpgrade(path: string, options?: OpenOptions): Promise<{
        repo: Repository;
        upgraded: boolean;
    }>;
    static ensure(path: string, config?: RepositoryConfig): Promise<{
        repo: Repository;
        status: EnsureStatus;
    }>;
    objectsDir(): string;
    imagesDir(): string;
    ensureWritable(): void;
    sync(): Promise<void>;
    syncNames(): Promise<void>;
    symlink(name: string, target: string): void;
    createStream(contentType: bigint): SplitStreamWriter;
    writeStream(writer: SplitStreamWriter, contentIdentifier: string, ref?: string): Promise<ObjectId>;
    storeStream(writer: SplitStreamWriter): Promise<ObjectId>;
    registerStream(id: ObjectId, contentIdentifier: string, ref?: string): Promise<void>;
    registerStreams(streams: readonly StreamNames[]): Promise<void>;
    linkImages(ids: readonly ObjectId[]): void;
    linkStreams(streams: readonly StreamNames[]): void;
    registerNames(images: readonly ObjectId[], streams: readonly StreamNames[]): Promise<void>;
    ensureStream(contentIdentifier: string, contentType: bigint, fill: (writer: SplitStreamWriter) => Promise<void> | void, ref?: string): Promise<ObjectId>;
    nameStream(contentIdentifier: string, ref: string): void;
    writeImage(data: Uint8Array, ref?: string, options?: CommitOptions): Promise<ObjectId>;
    registerImage(id: ObjectId, ref?: string): Promise<void>;
    registerImages(ids: readonly ObjectId[], ref?: string): Promise<void>;
    commitImages(root: Directory, ref?: string, options?: CommitOptions): Promise<Map<FormatVersion, ObjectId>>;
    commitImage(root: Directory, ref?: string, options?: CommitOptions): Promise<ObjectId>;
    commitImageVersion(root: Directory, version: FormatVersion, ref?: string, options?: CommitOptions): Promise<ObjectId>;
    gc({ dryRun, roots, keepNewerThan, ...options }?: GcOptions): Promise<GcResult>;
    removeSuperseded(ids: readonly ObjectId[]): Promise<boolean>;
}

declare class RepositoryClosedError extends ComposefsError {
    constructor(path: string);
}

interface RepositoryConfig {
    readonly algorithm?: HashAlgorithm | undefined;
    readonly erofsFormats?: FormatConfig | undefined;
    readonly insecure?: boolean | undefined;
    readonly allowForeignOwner?: boolean | undefined;
}

interface RepositoryContents {
    readonly blobs: Map<OciDigest, BlobContent>;
    readonly manifests: Map<OciDigest, StoredManifest>;
    readonly tags: Map<string, OciDigest>;
}

interface RepositoryFeatures {
    readonly compatible: readonly string[];
    readonly readOnlyCompatible: readonly string[];
    readonly incompatible: readonly string[];
}

interface RepositoryHost {
    readonly path: string;
    readonly objects: ObjectStore;
}

interface RepositoryMetadata {
    readonly version: number;
    readonly algorithm: HashAlgorithm;
    readonly features: RepositoryFeatures;
    readonly erofsFormats: FormatConfig;
}

declare class RepositoryOpenError extends ComposefsError {
    readonly kind: RepositoryOpenErrorKind;
    constructor(kind: RepositoryOpenErrorKind, message: string, details?: ErrorDetails);
}

type RepositoryOpenErrorKind = 'metadata-missing' | 'old-format-repository' | 'metadata-invalid' | 'algorithm-mismatch' | 'unsupported-version' | 'incompatible-features';

type RetryObserver = (error: RegistryError, delayMs: number) => void;

interface RetryPolicy {
    readonly attempts: number;
    readonly baseMs: number;
    readonly maxMs: number;
    readonly maxRetryAfterMs: number;
}

type RuleName = keyof ImageRules;

declare const STANDARD_OUTPUT = "-";

declare const STORE_KINDS: readonly [
    "layer-files",
    "other-files",
    "blobs",
    "images",
    "streams",
    "documents",
    "unreachable",
    "links",
    "partial-downloads",
    "leftovers",
    "metadata",
    "directories",
    "other"
];

declare class ScanError extends ContextError {
    readonly path: ByteString;
    constructor(message: string, path: ByteString, cause: unknown);
}

interface SearchedLayer {
    readonly diffId: string;
    readonly images: readonly {
        readonly image: string;
        readonly layer: number;
    }[];
}

interface ServeEitherOptions extends Omit<MountEitherOptions, 'signal'>, Pick<ServeFuseOptions, 'signal' | 'onMounted'> {
}

interface ServeFuseOptions extends FuseMountOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onMounted?: (() => void) | undefined;
}

type SharedReporter = ProgressReporter;

interface SharedUsage {
    readonly size: Usage;
    readonly shared: Usage;
    readonly unique: Usage;
}

declare class SkopeoError extends ComposefsError {
    readonly code: ErrorCodeOf<'sources'>;
    constructor(code: ErrorCodeOf<'sources'>, message: string, details?: ErrorDetails);
}

type SourceErrorCode = ErrorCodeOf<'sources' | 'storage'> | 'UNSUPPORTED_DIGEST' | 'INVALID_DOCUMENT';

type SplitStreamData = {
    readonly type: 'inline';
    readonly data: Buffer;
} | {
    readonly type: 'external';
    readonly id: ObjectId;
};

declare class SplitStreamError extends ComposefsError {
    constructor(message: string);
}

declare class SplitStreamReader {
    #private;
    readonly contentType: bigint;
    readonly totalSize: number;
    private constructor();
    get objectRefs(): readonly ObjectId[];
    lookupExternalRef(index: number): ObjectId | undefined;
    lookupNamedRef(name: string): ObjectId | undefined;
    namedRefs(): ReadonlyMap<string, ObjectId>;
    chunks(): Generator<SplitStreamData>;
    nextChunk(): SplitStreamData | undefined;
    readInlineExact(length: number): Buffer | undefined;
    readInline(length: number): Buffer | undefined;
    readExact(actual: number, stored: number): SplitStreamData;
    inlineData(): Generator<Buffer>;
    close(): void;
}

declare class SplitStreamWriter {
    #private;
    writeInline(data: Uint8Array): void;
    writeReference(id: ObjectId): void;
    addExternalSize(size: number): void;
    addObjectRef(id: ObjectId): number;
    lookupObjectRef(id: ObjectId): number | undefined;
    addNamedStreamRef(name: string, id: ObjectId): void;
    dispose(): void;
}

interface SplitstreamInfo {
    readonly externalObjects: number;
    readonly externalSize: number;
    readonly inlineSize: number;
}

interface StaleEntriesOptions {
    readonly bootSubdir?: string | undefined;
    readonly dryRun?: boolean | undefined;
}

interface Stat {
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly mtimeSec: number;
    readonly mtimeNsec: number;
    readonly xattrs: Xattrs;
}

interface StoreChoice {
    readonly root?: string | undefined;
    readonly driver?: string | undefined;
    readonly additionalImageStores?: readonly string[] | undefined;
}

type StoreDriver = 'overlay' | 'vfs';

declare class StoreError extends ComposefsError {
    readonly code: ErrorCodeOf<'storage'> | 'AMBIGUOUS_IMAGE';
    constructor(code: ErrorCodeOf<'storage'> | 'AMBIGUOUS_IMAGE', message: string, details?: ErrorDetails);
}

type StoreKind = (typeof STORE_KINDS)[number];

interface StoreSummary {
    readonly kinds: Readonly<Record<StoreKind, Usage>>;
    readonly total: Usage;
    readonly fileSystem: {
        readonly size: number;
        readonly free: number;
        readonly available: number;
    };
}

interface StoreUsage {
    readonly images: readonly ImageUsage[];
    readonly total: SharedUsage & Pick<ImageUsage, 'freed' | 'freedLinks'>;
}

interface StoredImages {
    readonly images: readonly ListedImage[];
    readonly failures: readonly {
        readonly store: string;
        readonly error: unknown;
    }[];
}

interface StoredManifest {
    readonly raw: Buffer;
    readonly digest: OciDigest;
    readonly mediaType: string;
}

interface StoredObject {
    readonly id: ObjectId;
    readonly size: number;
    readonly method: ObjectStoreMethod;
}

interface StreamNames {
    readonly id: ObjectId;
    readonly contentIdentifier: string;
    readonly ref?: string | undefined;
}

interface SweptFiles {
    readonly count: number;
    readonly bytes: number;
}

declare class SystemError extends ComposefsError {
    readonly errno: number;
    readonly syscall: string;
}

type SystemErrorCode = `E${Uppercase<string>}`;

interface TarEntry {
    readonly path: ByteString;
    readonly stat: Stat;
    readonly item: TarItem;
}

declare class TarError extends ComposefsError {
    readonly offset: number;
    constructor(message: string, offset: number);
}

type TarItem = {
    readonly type: 'directory';
} | {
    readonly type: 'leaf';
    readonly content: LeafContent;
} | {
    readonly type: 'hardlink';
    readonly target: ByteString;
};

declare class TarLimitError extends ComposefsError {
    constructor(message: string, hint: string);
}

type TarRules = 'standard' | 'reference';

declare class TestRegistry implements AsyncDisposable {
    #private;
    readonly host: string;
    readonly origin: string;
    readonly contents: RegistryContents;
    readonly requests: LoggedRequest[];
    private constructor();
    static start(options?: TestRegistryOptions): Promise<TestRegistry>;
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    reference(repository: string, tagOrDigest?: string): string;
    addImage(repository: string, image: ImageInput, tag?: string): Descriptor;
    addLayout(repository: string, path: string, tag?: string): readonly Descriptor[];
    putBlob(repository: string, content: BlobContent, digest?: OciDigest): {
        digest: OciDigest;
        size: number;
    };
    putManifest(repository: string, manifest: ManifestInput, options?: PutManifestOptions): Descriptor;
    addFault(fault: Fault, condition?: FaultCondition): FaultHandle;
    clearFaults(): void;
    expireTokens(): void;
    revokeRefreshTokens(): void;
    issueRefreshToken(user: string): string;
}

interface TestRegistryOptions {
    readonly port?: number;
    readonly tls?: {
        readonly key: string | Buffer;
        readonly cert: string | Buffer;
        readonly clientCa?: string | Buffer;
    };
    readonly auth?: RegistryAuth;
    readonly referrersApi?: boolean;
    readonly contents?: RegistryContents;
    readonly checkPushes?: boolean;
    readonly maxUploadBytes?: number;
}

interface TokenOptions {
    readonly anonymousPull?: boolean;
    readonly expiresIn?: number;
    readonly service?: string;
    readonly oauth2?: boolean;
    readonly tokenField?: 'token' | 'access_token';
}

interface Transfer {
    readonly fetchedBytes: number;
    readonly resumedBytes: number;
}

interface TreeChanges {
    readonly changes: readonly string[];
    readonly changeCount: number;
}

declare class Type1Entry {
    readonly type = "type1";
    filename: ByteString;
    readonly entry: BootLoaderEntryFile;
    readonly files: Map<string, RegularFile>;
    constructor(filename: ByteString, entry: BootLoaderEntryFile, files: Map<string, RegularFile>);
    clone(): Type1Entry;
    moved(directory: string, bootSubdir: string | undefined): Type1Entry;
    relocate(bootSubdir: string | undefined, entryId: string): void;
}

declare class Type2Entry {
    readonly type = "type2";
    readonly kver: ByteString | undefined;
    filePath: ByteString;
    readonly file: RegularFile;
    readonly peType: PEType;
    constructor(kver: ByteString | undefined, filePath: ByteString, file: RegularFile, peType: PEType);
    rename(name: string): void;
}

declare class UkiError extends ComposefsError {
    readonly code: ErrorCodeOf<'boot'>;
    constructor(code: ErrorCodeOf<'boot'>, message: string, details?: ErrorDetails);
}

interface UnmountOptions {
    readonly lazy?: boolean | undefined;
}

declare class UnsafePathError extends ComposefsError {
    constructor(path: string, cause?: unknown);
}

interface UpgradeOptions {
    readonly signal?: AbortSignal | undefined;
    readonly layerRules?: LayerRules | undefined;
    readonly progress?: ProgressReporter | undefined;
}

interface UpgradeResult {
    alreadyCurrent: number;
    upgraded: number;
    skippedNonContainer: number;
}

interface Usage {
    readonly count: number;
    readonly bytes: number;
    readonly disk: number;
    readonly linked: number;
}

interface UserOptions {
    readonly users: Readonly<Record<string, string>>;
    readonly authorize?: (user: string | undefined, repository: string, action: RegistryAction) => boolean;
    readonly strangersGet?: 401 | 403 | 404;
}

declare class UsrLibModulesVmlinuz {
    readonly type = "vmlinuz";
    readonly kver: string;
    readonly vmlinuz: RegularFile;
    readonly initramfs: RegularFile | undefined;
    constructor(kver: string, vmlinuz: RegularFile, initramfs: RegularFile | undefined);
    intoType1(entryId?: string): Type1Entry;
}

type VerityRequirement = 'disabled' | 'required' | 'try';

interface WantedFile {
    readonly matches: (file: FileToFind) => boolean;
    readonly bytes?: readonly Buffer[] | undefined;
}

interface WrittenBootEntry {
    readonly entry: ByteString;
    readonly written: readonly ByteString[];
    readonly kept: readonly ByteString[];
    readonly removed: readonly ByteString[];
}

declare const XATTR_FILTERINGS: readonly XattrFiltering[];

declare const XATTR_SECURITY_SELINUX: ByteString;

type XattrFiltering = 'allowlist-only' | 'keep-user-xattrs';

type Xattrs = ReadonlyMap<ByteString, ByteString>;

declare function addArgument(cmdline: string, argument: string): string;

declare function addReferrer(repo: Repository, subject: OciDigest, artifact: OciDigest): void;

declare function blobIdentifier(digest: OciDigest): string;

declare function bootImage(repo: ReadableRepository, manifestDigest: OciDigest): ObjectId | undefined;

declare function bootImageForMode(repo: ReadableRepository, manifestDigest: OciDigest, mode: XattrFiltering): ObjectId | undefined;

declare const brand: unique symbol;

declare const brand$1: unique symbol;

declare const brand$2: unique symbol;

declare function byteStringFrom(bytes: Uint8Array): ByteString;

declare function byteStringFromText(text: string): ByteString;

declare function byteStringToBuffer(bytes: ByteString): Buffer;

declare function byteStringToText(bytes: ByteString): string;

declare function bytesOfFile(file: RegularFile, objects: ObjectSource): FileBytes;

declare function causes(error: unknown): Generator<unknown>;

declare function checkBoot(repo: ReadableRepository, image: OciImage, options?: CheckBootOptions): Promise<BootCheck>;

declare function cleanupDanglingReferrers(repo: Repository): number;

declare function cloneTree(root: Directory): Directory;

declare function collectObjects(image: Buffer, algorithm: HashAlgorithm, options?: {
    readonly signal?: AbortSignal | undefined;
}): Promise<Set<ObjectId>>;

declare function compareImages(repo: ReadableRepository, first: Compared, second: Compared, options?: CompareImagesOptions): Promise<Difference[]>;

declare function composefsBootErofsForConfig(repo: ReadableRepository, configDigest: OciDigest, version: FormatVersion, { xattrs, ...options }?: OpenConfigOptions & BootLookupOptions): ObjectId | undefined;

declare function composefsBootErofsForManifest(repo: ReadableRepository, manifestDigest: OciDigest, version: FormatVersion, { xattrs, ...options }?: OpenImageOptions & BootLookupOptions): ObjectId | undefined;

declare function composefsErofsForConfig(repo: ReadableRepository, configDigest: OciDigest, version: FormatVersion, options?: OpenConfigOptions): ObjectId | undefined;

declare function composefsErofsForManifest(repo: ReadableRepository, manifestDigest: OciDigest, version: FormatVersion, options?: OpenImageOptions): ObjectId | undefined;

declare function computeImageId(root: Directory, version: FormatVersion, algorithm: HashAlgorithm, { signal }?: CommitOptions): Promise<ObjectId>;

declare function computeVerity(algorithm: HashAlgorithm, data: Uint8Array): ObjectId;

declare function computeVerityOfFd(algorithm: HashAlgorithm, fd: number): ObjectId;

declare function configIdentifier(digest: OciDigest): string;

declare function countLinks(root: Directory): Map<Leaf, number>;

declare function createFilesystem(repo: ReadableRepository, configDigest: OciDigest, { configVerity, signal, ...options }?: CreateFilesystemOptions): Promise<Directory>;

declare function dequote(value: string): string | undefined;

declare function describeBootEntry(entry: BootEntry): string;

declare function describeExplanation(match: DigestMatch, own: OwnImage): string[];

declare function describeRule(name: RuleName, rules: ImageRules, own: OwnImage, changes?: TreeChanges): string[];

declare function deviceNumbers(rdev: number): {
    major: number;
    minor: number;
};

declare function digestEncoded(digest: OciDigest): string;

declare function digestSize(algorithm: HashAlgorithm): 32 | 64;

declare function directories(root: Directory): Generator<Directory>;

declare function dumpSingleDir(directory: Directory, path: ByteString, links: ReadonlyMap<Leaf, number>): Generator<string>;

declare function dumpSingleFile(leaf: Leaf, path: ByteString, links: ReadonlyMap<Leaf, number>): string;

declare function dumpfilePieces(root: Directory): Generator<string>;

declare function enableVerityMaybeCopy(directory: string, fd: number, algorithm: HashAlgorithm): number | undefined;

declare function ensureVerityEqual(fd: number, expected: ObjectId, algorithm: HashAlgorithm): void;

declare function errorChain(error: unknown): string[];

declare function errorCode(error: unknown): string;

declare function exportImage(repo: ReadableRepository, image: OciImage, to: string | ExportTarget, options?: ExportOptions): Promise<ExportedDigests>;

declare function extractDiffIds(configMediaType: string, configBytes: Buffer, manifestLayers: readonly Descriptor[]): OciDigest[];

declare function extractLayerIds(manifestJson: Buffer, configJson: Buffer): string[];

declare function fileSize(file: RegularFile): number;

declare function fileTypeBits(content: LeafContent): number;

declare function filterXattrs(root: Directory, keep: (name: ByteString) => boolean): void;

declare function findCause<T extends Error>(error: unknown, type: abstract new (...args: never[]) => T): T | undefined;

declare function findCredentials(host: string, repository: string | undefined, options?: RegistryConfigOptions, onMissing?: OnMissingHelper): Promise<Credentials | undefined>;

declare function findErofsName(repo: ReadableRepository, text: string): Promise<string>;

declare function findFiles(repo: ReadableRepository, images: ReadonlyMap<string, OciImage>, { matches, bytes }: WantedFile, { signal, progress }?: Pick<LongCallOptions, 'signal' | 'progress'>): AsyncGenerator<FoundFile>;

declare function findImage(repo: ReadableRepository, text: string): Promise<OciImage>;

declare function findImageOfConfig(repo: ReadableRepository, configDigest: OciDigest, options?: OpenConfigOptions): Promise<OciImage>;

declare function findInLayers(repo: ReadableRepository, images: ReadonlyMap<string, OciImage>, { matches }: WantedFile, { layer, signal, progress }?: FindInLayersOptions): AsyncGenerator<FoundInLayer>;

declare function findKept(repo: ReadableRepository, text: string): Promise<KeptThing>;

declare function findLayer(image: OciImage, layer: string): string;

declare function findMatchingBootImage(repo: Repository, manifestDigest: OciDigest, expected: ObjectId, options?: BootBuildOptions): Promise<BootImageMatch>;

declare function findMountable(repo: ReadableRepository, text: string, first: 'oci' | 'erofs'): Promise<Mountable>;

declare function findReasons(repository: RepositoryHost, id: ObjectId, options?: GraphOptions): Promise<Reason[]>;

declare function findRoot(repo: ReadableRepository, text: string): Promise<string | undefined>;

declare function findSection(file: FileBytes, name: string): {
    offset: number;
    size: number;
};

declare function findStream(repo: ReadableRepository, text: string, prefixes?: readonly string[]): string | undefined;

declare function forEachStat(root: Directory, map: (stat: Stat) => Stat): void;

declare function formatAlgorithm(algorithm: HashAlgorithm): string;

declare function formatCmdline(args: readonly KernelArgument[]): string;

declare function formatFsckError(error: FsckError): string;

declare function formatFsckResult(result: FsckResult): string;

declare function formatGcResult(result: GcResult, dryRun: boolean): string;

declare function formatObjectId(algorithm: HashAlgorithm, id: ObjectId): string;

declare function formatOciFsckError(error: OciFsckError): string;

declare function formatStats(stats: ImportStats): string;

declare function fsckReport(result: FsckResult): string[];

declare function fsckResultToWire(result: FsckResult): FsckResultWire;

declare function fullMessage(error: unknown): string;

declare function gcResultToWire(result: GcResult): GcResultWire;

declare function generateBootImage(repo: Repository, manifestDigest: OciDigest, options?: BootImageOptions): Promise<ObjectId>;

declare function getBootLabel(image: Uint8Array | FileBytes): string;

declare function getBootResources(root: Directory, objects: ObjectSource): BootEntry[];

declare function getCmdline(image: Uint8Array | FileBytes): string;

declare function getCmdlineValue(cmdline: string, prefix: string): string | undefined;

declare function getDirectory(start: Directory, path: ByteString): Directory;

declare function getFile(directory: Directory, name: ByteString): RegularFile;

declare function getLeaf(directory: Directory, name: ByteString): Leaf;

declare function getSection(image: Uint8Array | FileBytes, name: string): Buffer;

declare function getTextSection(image: Uint8Array | FileBytes, name: string): string;

declare function groupDifferences(differences: readonly Difference[]): DifferenceGroup[];

declare function hasManifest(repo: ReadableRepository, digest: OciDigest): ObjectId | undefined;

declare function hasVerity(fd: number, algorithm: HashAlgorithm): boolean;

declare function hostPlatform(nodeArch?: string): Platform;

declare function imageArguments(cmdline: string): ImageArgument[];

declare function imageHistory(repo: ReadableRepository, image: OciImage, { signal, progress }?: Pick<LongCallOptions, 'signal' | 'progress'>): Promise<ImageHistory>;

declare function imageUsage(repo: ReadableRepository, options?: ImageUsageOptions): Promise<StoreUsage>;

declare function importLayer(repo: Repository, diffId: OciDigest, name: string | undefined, tar: AsyncIterable<Buffer>, options?: ImportLayerOptions): Promise<{
    verity: ObjectId;
    stats: ImportStats;
}>;

declare function inferRepoAlgorithm(path: string): HashAlgorithm;

declare function inodes(root: Directory): Generator<Inode>;

declare function inspectImage(repo: ReadableRepository, image: OciImage): Promise<ImageInspection>;

declare function inspectMachine(repository: string, options?: InspectOptions): Promise<MachineReport>;

declare function isDigestText(text: string): boolean;

declare function isFsckOk(result: FsckResult): boolean;

declare function isOciFsckOk(result: OciFsckResult): boolean;

declare function isTarMediaType(mediaType: string): boolean;

declare function isWhiteout(content: LeafContent): boolean;

declare function keepBootImage<T>(repo: Repository, entry: ByteString, id: ObjectId, write: () => Promise<T> | T): Promise<T>;

declare function layerContentId(diffId: OciDigest): string;

declare function layerDumpfile(repo: ReadableRepository, diffId: OciDigest, { signal }?: InspectLayerOptions): AsyncGenerator<string>;

declare function layerInfo(repo: ReadableRepository, diffId: OciDigest, { signal }?: InspectLayerOptions): Promise<LayerInfo>;

declare function layerTar(repo: ReadableRepository, diffId: OciDigest, { signal }?: InspectLayerOptions): AsyncGenerator<Buffer>;

declare function linkedErofsImages(repo: ReadableRepository, id: ObjectId, options?: {
    readonly signal?: AbortSignal | undefined;
}): Promise<LinkedErofsImage[]>;

declare function listImages(repo: ReadableRepository, options?: ListImagesOptions): Promise<ImageInfo[]>;

declare function listInstalledEntries(partition: string, subdir?: string): InstalledEntry[];

declare function listLayoutTags(path: string): string[];

declare function listLogins(options?: RegistryConfigOptions): string[];

declare function listReferrers(repo: ReadableRepository, subject: OciDigest): [
    artifact: OciDigest,
    verity: ObjectId
][];

declare function listRefs(repo: ReadableRepository): [
    tag: string,
    digest: OciDigest
][];

declare function listStoredImages(choice?: StoreChoice, { signal }?: {
    readonly signal?: AbortSignal | undefined;
}): Promise<StoredImages>;

declare function login(target: LoginTarget, credentials: GivenCredentials, { verify, ...options }?: LoginOptions): Promise<string>;

declare function logout(target: LoginTarget | 'all', options?: RegistryConfigOptions): Promise<string[]>;

declare function makeCmdlineComposefs(id: string, insecure: boolean, version: FormatVersion, algorithm: HashAlgorithm): string;

declare function manifestIdentifier(digest: OciDigest): string;

declare function matchDigest(repo: ReadableRepository, image: OciImage, digest: string, { signal, progress, usual: given }?: MatchOptions): Promise<DigestMatch>;

declare function measureVerity(fd: number, algorithm: HashAlgorithm): ObjectId;

declare function measureVerityOpt(fd: number, algorithm: HashAlgorithm): ObjectId | undefined;

declare function mount(repo: ReadableRepository, image: OciImage | string, path: string, { bootable, ...options }?: MountOptions): Promise<Mount>;

declare function mountEither(repo: ReadableRepository, name: string, path: string, options?: MountEitherOptions): Promise<Mount>;

declare function mountFuse(repository: FuseRepository, name: string, mountPoint: string, options?: FuseMountOptions): Promise<FuseMount>;

declare function mountImage(repository: MountableRepository, name: string, options?: MountOptions$1): number;

declare function mountImageAt(repository: MountableRepository, name: string, path: string, options?: MountOptions$1): Mount;

declare function newBytes(stats: ImportStats): number;

declare function newObjects(stats: ImportStats): number;

declare const nullReporter: ProgressReporter;

declare function objectIdFromBytes(digest: Uint8Array): ObjectId;

declare function objectIdToBytes(id: ObjectId): Buffer;

declare function objectPathname(id: ObjectId): string;

declare function ociFsck(repo: ReadableRepository, options?: OciFsckOptions): Promise<OciFsckResult>;

declare function ociFsckImage(repo: ReadableRepository, name: string, options?: OciFsckOptions): Promise<OciFsckResult>;

declare function openBlob(repo: ReadableRepository, digest: OciDigest, { blobVerity }?: OpenBlobOptions): Buffer;

declare function openConfig(repo: ReadableRepository, digest: OciDigest, { configVerity }?: OpenConfigOptions): OpenConfig;

declare function openImageFileSystem(repository: ImageHost, name: string, options?: OpenImageFileSystemOptions): Promise<ImageFileSystem>;

declare function openImageFiles(repo: ReadableRepository, image: OciImage, options?: ImageFilesOptions): Promise<ImageFileSystem>;

declare function openLayerFiles(repo: ReadableRepository, image: OciImage, layer: string, { signal }?: Pick<ImageFilesOptions, 'signal'>): Promise<ImageFileSystem>;

declare function openTreeFile(directory: Directory, name: ByteString, objects: ObjectSource): Buffer | undefined;

declare function parseAlgorithm(text: string): HashAlgorithm;

declare function parseCmdline(cmdline: string): KernelArgument[];

declare function parseDigestValue(text: string): DigestValue;

declare function parseDumpfile(bytes: Uint8Array, algorithm: HashAlgorithm, options?: {
    readonly signal?: AbortSignal | undefined;
}): Promise<Directory>;

declare function parseExportTarget(text: string): ExportTarget;

declare function parseLoginTarget(text: string): LoginTarget;

declare function parseObjectId(algorithm: HashAlgorithm, hex: string): ObjectId;

declare function parseOciDigest(text: string): OciDigest;

declare function parsePlatform(text: string): Platform;

declare function parsePushReference(text: string): RegistryReference;

declare function parseXattrFiltering(text: string): XattrFiltering;

declare function planBootEntry(entries: readonly BootEntry[], objects: ObjectSource, options: BootWriteOptions): BootPlan;

declare function prepareBoot(repo: Repository, image: OciImage, options: PrepareBootOptions): Promise<PreparedBoot>;

declare function processEntry(root: Directory, entry: TarEntry): void;

declare function pruneBootEntries(repo: Repository, bootPartition: string, { dryRun, force }?: PruneBootOptions): Promise<PrunedBootEntries>;

declare function pruneTags(repo: Repository, options: PruneOptions): Promise<PrunedTag[]>;

declare function pull(repo: Repository, imgref: string, tag?: string, options?: PullOptions): Promise<PullResult>;

declare function pullImage(repo: Repository, imgref: string, tag?: string, options?: Omit<PullOptions, 'localFetch' | 'stores'>): Promise<[
    PulledStreams,
    ImportStats
]>;

declare function pushImage(repo: ReadableRepository, image: OciImage, to: string, options?: PushOptions): Promise<PushResult>;

declare function quoteArgument(key: string, value?: string): string;

declare function readDirectory(path: string | Buffer, options: ReadDirectoryOptions): Promise<Directory>;

declare function readErofsTree(image: Buffer, algorithm: HashAlgorithm, options?: {
    readonly signal?: AbortSignal | undefined;
}): Promise<Directory>;

declare function readFile(file: RegularFile, objects: ObjectSource): Buffer;

declare function readFileChunks(file: RegularFile, objects: ObjectSource): Generator<Buffer>;

declare function readRepoAlgorithm(path: string): HashAlgorithm | undefined;

declare function readTarEntries(reader: SplitStreamReader, rules?: TarRules): Generator<TarEntry>;

declare function releaseBootImage(repo: Repository, entry: ByteString): Promise<void>;

declare function releaseBootImages(repo: Repository, bootPartition: string, options?: {
    readonly bootSubdir?: string | undefined;
    readonly dryRun?: boolean | undefined;
}): Promise<string[]>;

declare function removeArgument(cmdline: string, key: string): string;

declare function removeBootEntry(bootPartition: string, name: string, bootSubdir?: string): RemovedEntry;

declare function removeBootImage(repo: Repository, manifestDigest: OciDigest): Promise<void>;

declare function removeDevices(root: Directory): void;

declare function removeReferrer(repo: Repository, subject: OciDigest, artifact: OciDigest): void;

declare function removeReferrersForSubject(repo: Repository, subject: OciDigest): void;

declare function removeStaleBootEntries(bootPartition: string, isThere: (image: ImageArgument) => boolean, options?: StaleEntriesOptions): RemovedEntry[];

declare function removeUnneededBootEntries(repo: Repository, bootPartition: string, { dryRun }?: Pick<PruneBootOptions, 'dryRun'>): RemovedEntry[];

declare function resetMetadata(path: string, options?: {
    readonly allowForeignOwner?: boolean | undefined;
}): void;

declare function resetMtimes(root: Directory): void;

declare function resolveBootPlan(objects: ObjectSource, plan: BootPlan, bootPartition: string): BootPlan;

declare function resolveConfig(repo: ReadableRepository, text: string, { configVerity }?: OpenConfigOptions): Promise<NamedConfig>;

declare function resolveImage(repo: ReadableRepository, text: string): Promise<ImageName>;

declare function resolveLayer(repo: ReadableRepository, text: string): OciDigest;

declare function resolveRef(repo: ReadableRepository, tag: string): ContentAndVerity;

declare function runningImages(): ImageArgument[];

declare function runningRoots(algorithm: HashAlgorithm): ObjectId[];

declare function selabel(root: Directory, objects: ObjectSource): boolean;

declare function selabelFromDir(root: Directory, directory: string | Buffer): boolean;

declare function serveEither(repo: ReadableRepository, name: string, path: string, { signal, onMounted, ...options }?: ServeEitherOptions): Promise<void>;

declare function serveFuse(repository: FuseRepository, name: string, mountPoint: string, options?: ServeFuseOptions): Promise<void>;

declare function sha256ContentDigest(bytes: Uint8Array): OciDigest;

declare function splitCmdline(cmdline: string): string[];

declare function splitPath(start: Directory, path: ByteString): {
    directory: Directory;
    name: ByteString;
};

declare function storeUsage(repo: ReadableRepository, options?: LongCallOptions): Promise<StoreSummary>;

declare function summarise(differences: Iterable<Difference>): DifferenceSummary;

declare function systemPath(): string;

declare function tagImage(repo: Repository, manifestDigest: OciDigest, tag: string): Promise<void>;

declare function tagOfRef(path: string): string | undefined;

declare function totalObjects(stats: ImportStats): number;

declare function transformForBoot(root: Directory, objects: ObjectSource): BootEntry[];

declare function transformForBootFromDir(root: Directory, directory: string | Buffer): void;

declare function transformForOci(root: Directory, options?: OciTransformOptions): void;

declare function uninstallBootEntry(repo: Repository, bootPartition: string, name: string, { force }?: Pick<PruneBootOptions, 'force'>): Promise<RemovedEntry>;

declare function unmountImage(path: string, options?: UnmountOptions): void;

declare function untagImage(repo: Repository, tag: string): Promise<void>;

declare function upgradeRepo(repo: Repository, options?: UpgradeOptions): Promise<UpgradeResult>;

declare function userPath(): string;

declare function validateTag(name: string): void;

declare function writeBlob(repo: Repository, data: Buffer): Promise<ContentAndVerity>;

declare function writeBootEntry(objects: ObjectSource, plan: BootPlan, bootPartition: string): WrittenBootEntry;

declare function writeBootSimple(objects: ObjectSource, entries: readonly BootEntry[], bootPartition: string, options: BootWriteOptions): WrittenBootEntry;

declare function writeConfig(repo: Repository, config: ImageConfiguration, refs: ReadonlyMap<string, ObjectId>, images?: LinkedImages): Promise<ContentAndVerity>;

declare function writeConfigRaw(repo: Repository, json: Buffer, refs: ReadonlyMap<string, ObjectId>, images?: LinkedImages): Promise<ContentAndVerity>;

declare function writeDumpfile(root: Directory): Generator<string>;

declare function writeErofs(root: Directory, options: ErofsOptions & {
    readonly signal?: AbortSignal | undefined;
}): Promise<Buffer>;

declare function writeManifest(repo: Repository, manifest: ImageManifest, digest: OciDigest, configVerity: ObjectId, layers: readonly (readonly [
    string,
    ObjectId
])[], tag?: string): Promise<ContentAndVerity>;
