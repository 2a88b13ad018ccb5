import type { ProgressEvent } from '../../progress.js';
import { type BuildImagesInput, type BuiltImage, buildImages } from './build-images.js';
import { type ImportedLayer, type ImportLayerInput, importLayerBlob } from './import-layer-blob.js';

/** What a task can use besides its input. */
export interface TaskContext {
  readonly report: (event: ProgressEvent) => void;
  readonly signal: AbortSignal;
}

/** The work that runs in worker threads. Inputs and outputs cross threads: plain data only. */
export interface Tasks {
  'import-layer': { input: ImportLayerInput; output: ImportedLayer };
  'build-images': { input: BuildImagesInput; output: BuiltImage[] };
}

export type TaskName = keyof Tasks;

type Handlers = {
  readonly [Name in TaskName]: (input: Tasks[Name]['input'], context: TaskContext) => Promise<Tasks[Name]['output']>;
};

export const handlers: Handlers = {
  'import-layer': importLayerBlob,
  'build-images': buildImages,
};
