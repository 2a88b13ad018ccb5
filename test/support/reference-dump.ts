import { join } from 'node:path';
import { buildImage, LayoutBuilder } from './oci-fixtures.js';
import { withTempDir } from './paths.js';
import { referenceCfsctl, runProgram } from './programs.js';

/** The dumpfile that cfsctl of composefs-rs makes of an image of these layers; undefined if it refuses the image. */
export function dumpOfReference(tars: readonly Buffer[]): string | undefined {
  return withTempDir((directory) => {
    const layout = new LayoutBuilder().addImage(buildImage(tars), { tag: 'a' }).write(join(directory, 'layout'));
    const run = (...args: string[]): string =>
      runProgram(referenceCfsctl() ?? '', ['--repo', join(directory, 'repo'), ...args]).toString();
    run('init', '--insecure', '--algorithm', 'fsverity-sha256-12');
    try {
      run('oci', 'pull', `oci:${layout}:a`, 'a');
    } catch {
      return undefined;
    }
    return run('oci', 'dump', 'a');
  });
}
