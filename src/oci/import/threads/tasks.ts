import type { WriteLayerInput, WrittenBlob } from '../../layer/write-layer.js';
import type { HelpLayerInput } from '../layer/help-layer.js';
import type { StoreFilesInput } from '../layer/store-files.js';
import type { NewLayer, StoreLayerInput } from '../layer/store-layer.js';
import type { VerifyLayerInput, VerifyLayerOutput } from '../layer/verify-layer.js';
import type { BuildImagesInput, BuiltImages } from './build-images.js';

/** The work that runs in threads. Inputs and outputs cross threads: plain data, and ports that change hands. */
export interface ImportTasks {
  readonly 'store-layer': { readonly input: StoreLayerInput; readonly output: NewLayer };
  readonly 'store-files': { readonly input: StoreFilesInput; readonly output: NewLayer };
  readonly 'help-layer': { readonly input: HelpLayerInput; readonly output: undefined };
  readonly 'build-images': { readonly input: BuildImagesInput; readonly output: BuiltImages };
  readonly 'write-layer': { readonly input: WriteLayerInput; readonly output: WrittenBlob };
  readonly 'verify-layer': { readonly input: VerifyLayerInput; readonly output: VerifyLayerOutput };
}
