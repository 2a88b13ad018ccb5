import zlib from 'node:zlib';
import { loadLibZstd } from '../../compression/libzstd.js';
import { limited, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

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
