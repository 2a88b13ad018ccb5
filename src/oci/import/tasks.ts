import { withoutTerminationAsync as load } from '../../threads/thread-side.js';
import type { WriteLayerInput, WrittenBlob } from '../layer/write-layer.js';
import type { BuildImagesInput, BuiltImages } from './build-images.js';
import type { HelpStoringInput } from './help-storing.js';
import type { ImportedLayer, ImportLayerInput } from './import-layer-blob.js';
import type { TaskContext } from './task-context.js';
import type { VerifyLayerInput, VerifyLayerOutput } from './verify-layer.js';

/** The work that runs in worker threads. Inputs and outputs cross threads: plain data only. */
export interface Tasks {
  'import-layer': { input: ImportLayerInput; output: ImportedLayer };
  'help-storing': { input: HelpStoringInput; output: undefined };
  'build-images': { input: BuildImagesInput; output: BuiltImages };
  'verify-layer': { input: VerifyLayerInput; output: VerifyLayerOutput };
  'write-layer': { input: WriteLayerInput; output: WrittenBlob };
}

export type TaskName = keyof Tasks;

type Handlers = {
  readonly [Name in TaskName]: (input: Tasks[Name]['input'], context: TaskContext) => Promise<Tasks[Name]['output']>;
};

/** Loaded when they are called: a thread that imports layers needs a part of the modules only. */
export const handlers: Handlers = {
  'import-layer': async (input, context) =>
    (await load(() => import('./import-layer-blob.js'))).importLayerBlob(input, context),
  'help-storing': async (input) => void (await (await load(() => import('./help-storing.js'))).helpStoring(input)),
  'build-images': async (input, context) => (await load(() => import('./build-images.js'))).buildImages(input, context),
  'verify-layer': async (input) => (await load(() => import('./verify-layer.js'))).verifyStoredLayer(input),
  'write-layer': async (input, context) =>
    (await load(() => import('../layer/write-layer.js'))).writeLayerBlob(input, context),
};
