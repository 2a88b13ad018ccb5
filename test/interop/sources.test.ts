import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { errorChain } from '../../src/errors.js';
import { pull } from '../../src/oci/import/pull.js';
import type { PullResult } from '../../src/oci/import/pull-options.js';
import { TestRegistry } from '../../src/testing/index.js';
import { tempRepository } from '../composefs/repository/temp-repository.js';
import { isSound } from '../oci/oci-support.js';
import { baseImageLayers } from '../support/base-image.js';
import { CFSCTL } from '../support/cfsctl.js';
import { buildImage, fxLarge, LayoutBuilder } from '../support/oci-fixtures.js';
import { openSource } from '../support/open-source.js';
import { withTempDir } from '../support/paths.js';
import { realImages, referenceCfsctl, runProgram } from '../support/programs.js';
import { skopeo, withoutSkopeo } from '../support/skopeo.js';

/**
 * One image by every way there is: as skopeo copies it, read by us, read through skopeo's image proxy, and by the
 * reference, which reads everything but layouts through skopeo.
 */

interface Case {
  readonly name: string;
  /** Gives a layout with a tag, made below the directory if need be. */
  readonly layout: (directory: string) => string;
}

const fixture = (name: string, layers: () => ReturnType<typeof buildImage>): Case => ({
  name,
  layout: (directory) => {
    const path = new LayoutBuilder().addImage(layers(), { tag: 'a' }).write(join(directory, 'layout'));
    return `${path}:a`;
  },
});

const cases: Case[] = [
  fixture('FX-LARGE', () => fxLarge()),
  fixture('base image', () => buildImage(baseImageLayers().map(({ tar }) => tar))),
  ...realImages().map(({ name, path }) => ({ name: `real image ${name}`, layout: () => `${path}:gzip` })),
];

const reference = referenceCfsctl();

/** The image in the forms that files can have, and one of its names. */
async function copies(layout: string, directory: string): Promise<Record<string, string>> {
  const files = {
    'oci-archive': `oci-archive:${directory}/oci.tar:a`,
    'docker-archive': `docker-archive:${directory}/docker.tar:app:v1`,
    dir: `dir:${directory}/dir`,
  };
  for (const target of Object.values(files)) await skopeo('copy', '--quiet', `oci:${layout}`, target);
  return { oci: `oci:${layout}`, ...files };
}

/** What does not depend on the manifest. */
function content({ layers, images }: PullResult): unknown {
  return { layers: layers.map(({ key }) => key), images };
}

for (const { name, layout } of cases) {
  describe(`every way to read an image: ${name}`, { skip: withoutSkopeo }, () => {
    test('gives the same image', async (context) => {
      await withTempDir(async (directory) => {
        const references = await copies(layout(directory), directory);
        const results = new Map<string, PullResult>();
        for (const [transport, from] of Object.entries(references)) {
          for (const via of [undefined, 'skopeo'] as const) {
            const repo = await tempRepository(context);
            results.set(`${transport} ${via ?? ''}`.trim(), await pull(repo, from, 'app', { via }));
            assert.ok(await isSound(repo), from);
          }
        }
        const first = results.get('oci');
        assert.ok(first !== undefined);
        for (const [way, result] of results) {
          assert.deepEqual(content(result), content(first), way);
          const isDocker = way.startsWith('docker-archive');
          const expected: PullResult | undefined = isDocker ? results.get('docker-archive skopeo') : first;
          assert.equal(result.manifestDigest, expected?.manifestDigest, way);
          assert.equal(result.configDigest, expected?.configDigest, way);
        }
      });
    });

    test('of a Docker archive gives the manifest and the config that skopeo makes of it', async () => {
      await withTempDir(async (directory) => {
        const file = `${directory}/docker.tar`;
        await skopeo('copy', '--quiet', `oci:${layout(directory)}`, `docker-archive:${file}:app:v1`);
        const [ours, theirs] = await Promise.all(
          [undefined, 'skopeo' as const].map(async (via) => {
            const source = await openSource(`docker-archive:${file}`, { via, skopeoPolicy: 'none' });
            try {
              const { raw, value } = await source.manifest();
              return { manifest: raw.toString(), config: (await source.readBlob(value.config)).toString() };
            } finally {
              await source.close();
            }
          }),
        );
        assert.deepEqual(ours, theirs);
        const layoutPath = `${directory}/converted`;
        await skopeo('copy', '--quiet', `docker-archive:${file}`, `oci:${layoutPath}:a`);
        const copied = await openSource(`oci:${layoutPath}:a`);
        const { value } = await copied.manifest();
        assert.equal((await copied.readBlob(value.config)).toString(), ours?.config);
      });
    });
  });
}

/** The reference refuses two of the real images that we accept (docs/open-points.md, "Tar and layers"). */
const REFUSED_BY_REFERENCE = /tiny|churn/;

describe('the reference', {
  skip: reference === undefined ? 'cfsctl of composefs-rs is not installed' : withoutSkopeo,
}, () => {
  const theirs = (...args: string[]): Buffer => runProgram(reference ?? '', args);
  const ours = (...args: string[]): Buffer => runProgram(process.execPath, [CFSCTL, ...args]);
  const inspected = (cfsctl: typeof ours, repo: string): Record<string, string> =>
    Object.fromEntries(
      [['images', '--json'], ['inspect', 'app'], ['compute-id', 'app'], ['dump', 'app'], ['fsck']].map((args) => [
        args.join(' '),
        cfsctl('--repo', repo, 'oci', ...args).toString(),
      ]),
    );

  for (const { name, layout } of cases.filter((each) => !REFUSED_BY_REFERENCE.test(each.name))) {
    test(`pulls the same from a directory: ${name}`, async () => {
      await withTempDir(async (directory) => {
        const references = await copies(layout(directory), directory);
        const repos = [ours, theirs].map((cfsctl, index) => {
          const repo = join(directory, `repo-${index}`);
          cfsctl('init', '--insecure', repo);
          cfsctl('--repo', repo, 'oci', 'pull', references['dir'] ?? '', 'app');
          // The reference leaves the streams that it has replaced (docs/open-points.md, "A pull leaves no garbage").
          cfsctl('--repo', repo, 'gc');
          return repo;
        });
        const [first = '', second = ''] = repos;
        assert.deepEqual(inspected(ours, first), inspected(ours, second));
        assert.deepEqual(inspected(theirs, first), inspected(ours, first));
      });
    });

    test(`reads what we pulled from a Docker archive: ${name}`, async () => {
      await withTempDir(async (directory) => {
        const references = await copies(layout(directory), directory);
        const from = references['docker-archive'] ?? '';
        const repo = join(directory, 'repo');
        ours('init', '--insecure', repo);
        ours('--repo', repo, 'oci', 'pull', from, 'app');
        assert.deepEqual(inspected(theirs, repo), inspected(ours, repo));

        // It cannot pull it itself: skopeo does not hand out the config that it made (spec 40 §4.8). It names that one.
        const { config } = JSON.parse(ours('--repo', repo, 'oci', 'inspect', 'app', '--manifest').toString()) as {
          config: { digest: string };
        };
        const { status, stderr } = spawnSync(reference ?? '', ['--repo', repo, 'oci', 'pull', from, 'theirs'], {
          encoding: 'utf8',
        });
        if (status !== 0) assert.match(stderr, new RegExp(config.digest));
      });
    });
  }
});

test('an image in a registry is read through skopeo, with given credentials', {
  skip: withoutSkopeo,
}, async (context) => {
  await withTempDir(async (directory) => {
    await using registry = await TestRegistry.start({ auth: { type: 'basic', users: { ann: 'secret' } } });
    const layout = new LayoutBuilder().addImage(fxLarge(), { tag: 'a' }).write(join(directory, 'layout'));
    const access = ['--dest-tls-verify=false', '--dest-creds', 'ann:secret'];
    const [oci, docker] = ['oci', 'docker'].map((name) => registry.reference(name, 'v1')) as [string, string];
    await skopeo('copy', '--quiet', ...access, `oci:${layout}:a`, oci);
    await skopeo('copy', '--quiet', '--format=v2s2', ...access, `oci:${layout}:a`, docker);

    const pullAs = async (from: string, password: string): Promise<PullResult> => {
      const credentials = { username: 'ann', password };
      const config = { tlsVerify: false, authFile: join(directory, 'none.json'), credentials };
      return await pull(await tempRepository(context), from, 'app', { via: 'skopeo', registry: config });
    };
    const image = fxLarge();
    const result = await pullAs(oci, 'secret');
    assert.equal(result.manifestDigest, image.manifest.descriptor.digest);
    const converted = await pullAs(docker, 'secret');
    assert.deepEqual(content(converted), content(result));
    await assert.rejects(pullAs(oci, 'wrong'), { code: 'SKOPEO_FAILED' });
  });
});

test('a missing image is named in the words of skopeo', { skip: withoutSkopeo }, async () => {
  await assert.rejects(
    openSource('docker-archive:/nonexistent.tar', { via: 'skopeo', skopeoPolicy: 'none' }),
    (error) => {
      assert.match(
        errorChain(error).join(': '),
        /^Opening image: failed to invoke method OpenImage: .*nonexistent\.tar/,
      );
      return true;
    },
  );
});
