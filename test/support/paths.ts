import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The folder of `package.json`. */
export const packageRoot: string = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

/** A file or folder of the shared material beside the checkout; undefined where it is absent. */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(packageRoot, '..', 'shared', ...parts);
  return existsSync(path) ? path : undefined;
}

/** A command of the package as it is shipped: bundled, by `npm run build`. */
export function commandPath(name: string): string {
  return join(packageRoot, 'dist', 'lib', `${name}.js`);
}

/** A fresh temporary directory that is gone after the test. */
export function tempDir(context: TestContext, parent: string = tmpdir()): string {
  const path = mkdtempSync(join(parent, 'composefs-oci-test-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs `action` in a fresh temporary directory and removes that afterwards. */
export function withTempDir<T>(action: (path: string) => T, parent: string = tmpdir()): T {
  const path = mkdtempSync(join(parent, 'composefs-oci-test-'));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  let result: T;
  try {
    result = action(path);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

function findPackageRoot(start: string): string {
  for (let path = start; ; path = dirname(path)) {
    if (existsSync(join(path, 'package.json'))) return path;
    if (dirname(path) === path) throw new Error(`no package.json above ${start}`);
  }
}
