import { createCipheriv } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Repository } from '../../src/composefs/index.js';
import {
  ComposefsError,
  fullMessage,
  isOciFsckOk,
  listRefs,
  ociFsck,
  type PullOptions,
  type PullResult,
  pull,
} from '../../src/index.js';
import { type Fault, TestRegistry } from '../../src/testing/index.js';
import { buildImage, type TestImage } from '../support/oci-fixtures.js';
import type { Random } from '../support/random.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { mutateBytes } from './mutators.js';
import type { Campaign, Round, Trial } from './round.js';

export const hostileRegistry: Campaign = {
  description: 'pulls from a registry that breaks off, lies, hangs and sends others elsewhere',
  count: 5000,
  time: 1800,
  run,
};

/** Sizes of the layers: some bytes more than what is sent at once. */
const LAYERS = [400_000, 150_000, 5000];
/** Seconds that a pull may take: it gives up long before, however often it tries again. */
const PATIENCE = 120;
/** Pulls that go on where the one before has stopped, before the repository is a new one. */
const PULLS_OF_A_REPOSITORY = 20;

async function run(round: Round): Promise<void> {
  const { folder } = round.options;
  const image = imageOf(LAYERS);
  const registry = await TestRegistry.start();
  const storage = await TestRegistry.start({ contents: registry.contents, auth: { type: 'refuse-credentials' } });
  for (const { bytes } of [image.config, ...image.layers]) registry.putBlob('image', bytes);
  registry.putManifest('image', image.manifest.bytes, { tag: 'latest' });
  const hostile = new HostileRegistry(round, registry, storage, image);
  try {
    await hostile.prepare(folder);
    await round.trials((trial) => hostile.try(trial));
  } finally {
    hostile.close();
    await registry.close();
    await storage.close();
  }
}

class HostileRegistry {
  readonly #round: Round;
  readonly #registry: TestRegistry;
  readonly #storage: TestRegistry;
  readonly #image: TestImage;
  readonly #options: PullOptions;
  #expected: PullResult | undefined;
  #repository: Repository | undefined;

  constructor(round: Round, registry: TestRegistry, storage: TestRegistry, image: TestImage) {
    this.#round = round;
    this.#registry = registry;
    this.#storage = storage;
    this.#image = image;
    const { folder } = round.options;
    this.#options = {
      concurrency: 2,
      timeouts: { connectMs: 2000, headersMs: 400, idleMs: 400 },
      retry: { attempts: 3, baseMs: 5, maxMs: 10, maxRetryAfterMs: 100 },
      // Nothing of this machine's configuration.
      registry: { environment: { HOME: folder }, systemConfigDir: join(folder, 'etc'), tlsVerify: false },
    };
  }

  /** What is right, from the registry while it behaves. */
  async prepare(folder: string): Promise<void> {
    const path = join(folder, 'right');
    mkdirSync(path);
    const { repo } = await Repository.init(path, { algorithm: 'sha512', insecure: true });
    this.#expected = await pull(repo, this.#registry.reference('image'), 'tag', this.#options);
    repo.close();
  }

  close(): void {
    this.#repository?.close();
    this.#repository = undefined;
  }

  async try(trial: Trial): Promise<void> {
    const { random } = trial;
    const repository = await this.#open(trial.index);
    this.#registry.clearFaults();
    const faults = Array.from({ length: random.between(1, 4) }, () => this.#fault(random));
    for (const fault of faults) {
      const nth = random.pick([1, 2, 3, (): boolean => random.chance(0.4), (): boolean => true]);
      this.#registry.addFault(fault, { nth, path: random.pick(['*', '*', '*/blobs/*', '*/manifests/*']) });
    }
    // Which image a tag stands for is the registry's to say; of a digest there is only one.
    const digest = this.#image.manifest.descriptor.digest;
    const reference = this.#registry.reference('image', random.chance(0.5) ? digest : 'latest');
    trial.describe(`${reference}: ${faults.map((fault) => fault.type).join(', ')}`);
    const tag = `tag-${trial.index}`;
    const signal = AbortSignal.timeout(PATIENCE * 1000);
    try {
      const pulled = await pull(repository, reference, tag, { ...this.#options, signal });
      trial.count('pulled');
      const isRight = pulled.manifestVerity === this.#expected?.manifestVerity;
      if (!isRight && reference.includes('@')) trial.fail('another image came of it');
      const fsck = await ociFsck(repository, { threads: 0 });
      if (!isOciFsckOk(fsck)) trial.fail(`the repository is not sound: ${JSON.stringify(fsck)}`);
    } catch (error) {
      trial.count('refused');
      if (signal.aborted) trial.fail(`it hangs for ${PATIENCE} s`);
      else if (!(error instanceof ComposefsError))
        trial.fail(`no error of ours: ${error instanceof Error ? error.stack : error}`);
      else if (error.code === 'INTERNAL') trial.fail(fullMessage(error));
      else if (fullMessage(error).length < 30) trial.fail(`it does not say why: ${fullMessage(error)}`);
      if (listRefs(repository).some(([name]) => name === tag)) trial.fail('a failed pull left its tag');
    }
    this.#registry.requests.length = 0;
    this.#storage.requests.length = 0;
    this.#round.peak('MiB at most', Math.round(process.memoryUsage().rss / 2 ** 20));
  }

  async #open(index: number): Promise<Repository> {
    if (this.#repository === undefined || index % PULLS_OF_A_REPOSITORY === 0) {
      this.close();
      const path = join(this.#round.options.folder, 'repository');
      rmSync(path, { recursive: true, force: true });
      this.#repository = (await Repository.init(path, { algorithm: 'sha512', insecure: true })).repo;
    }
    return this.#repository;
  }

  #fault(random: Random): Fault {
    const status = random.pick([400, 401, 403, 404, 408, 416, 429, 500, 502, 503, 504, 204, 206, 301, 304, 418, 599]);
    return random.pick<() => Fault>([
      () => ({ type: 'status', status, headers: oddHeaders(random) }),
      () => ({ type: 'status', status: 200, body: mutateBytes(this.#image.manifest.bytes, random) }),
      () => ({ type: 'status', status: 200, body: random.bytes(random.pick([0, 1, 100, 5_000_000])) }),
      () => ({ type: 'disconnect' }),
      () => ({ type: 'cut', afterBytes: random.below(LAYERS[0] ?? 1), reset: random.chance(0.5) }),
      () => ({ type: 'stall', afterBytes: random.below(LAYERS[0] ?? 1) }),
      () => ({ type: 'slow', bytesPerSecond: random.pick([1_000_000, 5_000_000]), delayMs: random.below(50) }),
      () => ({ type: 'corrupt', ...(random.chance(0.5) && { offset: random.below(1000) }) }),
      () => ({ type: 'ignore-range' }),
      () => ({ type: 'redirect', location: (path) => this.#storage.origin + path }),
      () => ({ type: 'redirect', location: (path) => this.#registry.origin + path }),
      () => ({
        type: 'redirect',
        location: random.pick(['http://127.0.0.1:1/', 'ftp://x/', 'file:///etc/passwd', '//', '']),
      }),
      () => ({ type: 'headers', headers: oddHeaders(random) }),
    ])();
  }
}

function oddHeaders(random: Random): Record<string, string> {
  const headers: readonly (readonly [string, readonly string[]])[] = [
    ['Content-Range', ['bytes 0-1/2', 'bytes 5-1/*', 'bytes */400000', 'x']],
    ['Content-Type', ['text/html', 'application/vnd.oci.image.index.v1+json', '']],
    ['Content-Encoding', ['gzip', 'br', 'x']],
    ['Docker-Content-Digest', [`sha256:${'1'.repeat(64)}`, 'sha256:', 'x', 'sha999:00']],
    ['Retry-After', ['0', '-1', 'x', '99999999999']],
    ['Location', ['/', 'http://[', 'x'.repeat(5000)]],
    [
      'WWW-Authenticate',
      ['Basic', 'Bearer realm="http://127.0.0.1:1/"', 'Bearer', 'x="', `Bearer ${'a="b",'.repeat(500)}`],
    ],
    ['Link', ['<>; rel="next"', '</v2/>; rel=next']],
  ];
  const [name, values] = random.pick(headers);
  return { [name]: random.pick(values) };
}

/** Of layers that cannot be compressed. */
function imageOf(sizes: readonly number[]): TestImage {
  const tars = sizes.map((size, index) => {
    const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, index), Buffer.alloc(16)).update(Buffer.alloc(size));
    return tarArchive([tarDirectory('usr'), tarFile(`usr/file-${index}`, noise), tarFile(`etc-${index}`, 'x')]);
  });
  return buildImage(tars);
}
