import { spawnSync } from 'node:child_process';
import zlib from 'node:zlib';
import { loadLibZstd } from '../../compression/zstd/libzstd.js';
import { ComposefsError } from '../../errors.js';
import { loadLibc } from '../../linux/ffi.js';
import { findProgram } from '../../linux/find-program.js';
import { limited, missing, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';

/** Libraries and programs of others: koffi and the C library, libzstd, skopeo. */

export const koffi: Probe = {
  check: 'koffi',
  title: 'System calls',
  run() {
    try {
      loadLibc();
      return ok(`koffi has a build for ${process.arch}`);
    } catch (error) {
      const detail = `${reasonOf(error)}; without them no mounts and no fs-verity, but insecure repositories work`;
      return missing(detail, error instanceof ComposefsError ? error.hint : undefined);
    }
  },
};

/** Never missing: the package brings a decoder and an encoder of its own. */
export const zstd: Probe = {
  check: 'zstd',
  title: 'Zstandard',
  run() {
    const library = loadLibZstd();
    if (library !== null) {
      const { versionNumber: number } = library;
      const version = `${Math.floor(number / 10000)}.${Math.floor(number / 100) % 100}.${number % 100}`;
      return ok(`libzstd ${version}`);
    }
    if (Reflect.has(zlib, 'createZstdDecompress')) return ok('node:zlib');
    return limited("neither libzstd nor Node's: the package's own, which is slower", 'install the package libzstd1');
  },
};

const TIMEOUT_MS = 4000;

export const skopeo: Probe = {
  check: 'skopeo',
  title: 'skopeo',
  run() {
    const path = findProgram('skopeo');
    if (path === undefined) {
      return missing(
        'not installed: no pulls from transports of its own, such as docker-daemon:',
        'install the package skopeo, if those are wanted',
      );
    }
    const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: TIMEOUT_MS });
    if (status !== 0) return missing(`${path} --version fails with status ${status}`, 'reinstall the package skopeo');
    return ok(stdout.trim());
  },
};
