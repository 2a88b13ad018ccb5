import type { TaskHandlers } from '../../../threads/tasks.js';
import { withoutTerminationAsync as load } from '../../../threads/thread-side.js';
import type { ImportTasks } from './tasks.js';

/** What {@link ImportTasks} do. What a task needs is loaded when it is called: most threads do one kind only. */
export const IMPORT_TASKS: TaskHandlers<ImportTasks> = {
  'store-layer': async (input, context) =>
    (await load(() => import('../layer/store-layer.js'))).storeLayer(input, context),
  'store-files': async (input, context) =>
    (await load(() => import('../layer/store-files.js'))).storeFiles(input, context),
  'help-layer': async (input, context) => {
    try {
      await (await load(() => import('../layer/help-layer.js'))).helpLayer(input, context);
    } finally {
      // Also where this thread cannot load what helps: the layer's thread waits for answers as long as the port is open.
      input.port.close();
    }
  },
  'build-images': async (input, context) => (await load(() => import('./build-images.js'))).buildImages(input, context),
  'write-layer': async (input, context) =>
    (await load(() => import('../../layer/write-layer.js'))).writeLayerBlob(input, context),
  'verify-layer': async (input) => (await load(() => import('../layer/verify-layer.js'))).verifyStoredLayer(input),
};
