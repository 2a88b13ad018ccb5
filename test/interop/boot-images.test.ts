import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BootTreeOptions, bootableImage } from '../support/boot-images.js';
import { CFSCTL } from '../support/cfsctl.js';
import { describeDirectory } from '../support/describe-directory.js';
import { LayoutBuilder } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { buildUki } from '../support/pe-builder.js';
import { referenceCfsctl, runProgram } from '../support/programs.js';
import { repositoryLinks } from '../support/repository-links.js';

/** Boot images of ours and of the reference: equal ids, links and texts, each in repositories of both. */

type Cfsctl = (...args: string[]) => string;

const reference = referenceCfsctl();
const skip = reference === undefined ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)' : false;
const ours: Cfsctl = (...args) => runProgram(process.execPath, [CFSCTL, ...args]).toString();
const theirs: Cfsctl = (...args) => runProgram(reference ?? '', args).toString();

const TREES: Readonly<Record<string, BootTreeOptions>> = {
  'a kernel': {},
  'a kernel and a policy': { policy: true },
  'boot loader entries': {
    policy: true,
    boot: {
      vmlinuz: 'V'.repeat(3000),
      initrd: 'R',
      'loader/entries/a.conf': 'title A\nlinux /boot/vmlinuz\ninitrd /boot/initrd\noptions quiet\n',
    },
  },
};

/** All but the id of the manifest's stream. */
function withoutVerity(text: string): string {
  return text.replace(/^verity .*\n/m, '');
}

for (const [name, tree] of Object.entries(TREES)) {
  for (const [algorithm, version] of [
    ['sha256', '1'],
    ['sha512', '2'],
  ] as const) {
    test(`an image with ${name}: ${algorithm}, V${version}`, { skip }, () => {
      withTempDir((directory) => {
        const layout = new LayoutBuilder().addImage(bootableImage(tree)).write(join(directory, 'layout'));
        const repos = [ours, theirs].map((cfsctl, index) => {
          const repo = join(directory, `repo-${index}`);
          const init = ['--algorithm', `fsverity-${algorithm}-12`, '--erofs-version', version, '--insecure', repo];
          cfsctl('init', ...init);
          const pulled = withoutVerity(cfsctl('--repo', repo, 'oci', 'pull', '--bootable', `oci:${layout}`, 'app'));
          cfsctl('--repo', repo, 'gc');
          return { repo, pulled };
        });
        const [own, other] = repos;
        assert.ok(own !== undefined && other !== undefined);
        assert.equal(own.pulled, other.pulled);
        assert.deepEqual(repositoryLinks(own.repo), repositoryLinks(other.repo));
        const observe = (cfsctl: Cfsctl, repo: string): string[] => {
          const run = (...args: string[]): string => cfsctl('--repo', repo, ...args);
          const { composefs_boot_erofs: boot } = JSON.parse(run('oci', 'inspect', 'app'));
          const modes = ['allowlist-only', 'keep-user-xattrs'].flatMap((mode) => [
            run('oci', 'compute-id', '--bootable', '--xattrs', mode, 'app'),
            run('oci', 'dump', '--bootable', '--xattrs', mode, 'app'),
          ]);
          const linked = run('oci', 'linked-erofs-images', boot);
          return [boot, linked, ...modes, run('oci', 'fsck'), run('fsck'), run('gc', '--dry-run')];
        };
        const observed = observe(ours, own.repo);
        for (const { repo } of repos) {
          assert.deepEqual(observe(ours, repo), observed);
          assert.deepEqual(observe(theirs, repo), observed);
        }
        // What one has made of another mode and format, the other finds.
        const kept = ours('--repo', own.repo, '--erofs-version', '2', ...COMPUTE_KEPT, 'app').trim();
        for (const [cfsctl, { repo }] of [
          [ours, other],
          [theirs, own],
        ] as const) {
          const pull = ['oci', 'pull', '--bootable', '--expected-digest', kept, `oci:${layout}`, 'app'];
          assert.match(
            cfsctl('--repo', repo, ...pull),
            new RegExp(`\nBoot image: ${kept} \\(xattr-mode=keep-user-xattrs, format-version=V2\\)\n$`),
          );
        }
        for (const cfsctl of [ours, theirs]) {
          const linked = repos.map(({ repo }) => cfsctl('--repo', repo, 'oci', 'linked-erofs-images', kept));
          const [first = '', second = ''] = linked.map((text) => JSON.stringify(sorted(JSON.parse(text))));
          assert.equal(first, second);
          for (const { repo } of repos) assert.match(cfsctl('--repo', repo, 'oci', 'fsck'), /^oci images: 1\/1 ok$/m);
        }
      });
    });
  }
}

test('both write the same entries, and make the same directories', { skip }, () => {
  const uki = (tree: BootTreeOptions, argument: string): BootTreeOptions => ({
    ...tree,
    kernel: false,
    boot: { 'EFI/Linux/a.efi': buildUki(`quiet ${argument} rw`) },
  });
  withTempDir((directory) => {
    let count = 0;
    /** What prepare-boot makes: every file with its content, and the directories of the state. */
    const prepared = (cfsctl: Cfsctl, tree: BootTreeOptions, formats: string[], args: string[]): unknown => {
      count += 1;
      const parent = join(directory, `${count}`);
      mkdirSync(join(parent, 'boot'), { recursive: true });
      const repo = join(parent, 'repo');
      const layout = new LayoutBuilder().addImage(bootableImage(tree)).write(join(parent, 'layout'));
      cfsctl('init', '--insecure', ...formats, repo);
      cfsctl('--repo', repo, 'oci', 'pull', `oci:${layout}`, 'app');
      cfsctl('--repo', repo, 'oci', 'prepare-boot', 'app', '--bootdir', join(parent, 'boot'), ...args);
      return ['boot', 'state'].flatMap((name) =>
        [...describeDirectory(join(parent, name))].map(([path, { content }]) => [name, path, content]),
      );
    };
    for (const formats of [
      ['--algorithm', 'fsverity-sha256-12', '--erofs-version', '1'],
      ['--algorithm', 'fsverity-sha512-12', '--erofs-version', '2'],
    ]) {
      const repo = join(directory, `ids-${formats[3]}`);
      const layout = new LayoutBuilder()
        .addImage(bootableImage({ policy: true, kernel: false }))
        .write(`${repo}-layout`);
      ours('init', '--insecure', ...formats, repo);
      ours('--repo', repo, 'oci', 'pull', `oci:${layout}`, 'app');
      const id = ours('--repo', repo, 'oci', 'compute-id', '--bootable', 'app').trim();
      const argument = formats[3] === '1' ? `composefs.digest=?v1-sha256-12:${id}` : `composefs=?${id}`;
      const trees = [...Object.values(TREES), uki({ policy: true }, argument)];
      for (const [index, tree] of trees.entries()) {
        const extra = index === 3 ? [] : ['--cmdline', 'quiet', '--cmdline', 'a=b c'];
        for (const args of [[], ['--entry-id', 'named', ...extra]]) {
          const expected = prepared(theirs, tree, formats, args);
          assert.ok(Array.isArray(expected) && expected.length > 5);
          assert.deepEqual(prepared(ours, tree, formats, args), expected);
        }
      }
    }
  });
});

const COMPUTE_KEPT = ['oci', 'compute-id', '--bootable', '--xattrs', 'keep-user-xattrs'];

/** The reference lists boot images in random order. */
function sorted(images: { id: string }[]): unknown {
  return images.sort((a, b) => (a.id < b.id ? -1 : 1));
}
