/** The files of an image, read without a mount. */

export type { ExtractOptions, ExtractResult } from './extract.js';
export { FileError, type FileErrorCode } from './file-error.js';
export { ImageFileSystem, type ImagePath, type ReadFileOptions, type ReadStreamOptions } from './image-file-system.js';
export { ImageDirent, ImageStats } from './image-stats.js';
export type { ObjectOpener } from './object-content.js';
export { type ImageHost, type OpenImageFileSystemOptions, openImageFileSystem } from './open-image.js';
