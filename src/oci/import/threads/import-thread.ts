import { serveTasks } from '../../../threads/tasks.js';
import { IMPORT_TASKS } from './task-handlers.js';

/** A thread of an import. */
serveTasks(IMPORT_TASKS);
