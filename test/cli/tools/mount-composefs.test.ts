import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mkcomposefs } from '../../../src/cli/tools/mkcomposefs.js';
import { mountComposefs } from '../../../src/cli/tools/mount-composefs.js';
import { parseMountOptions } from '../../../src/cli/tools/mount-options.js';
import { runOurTool } from '../../support/c-tools.js';
import { commandPath, withTempDir } from '../../support/paths.js';
import { failureOf } from './tool-support.js';

const PLAIN = {
  basedirs: ['objects'],
  digest: undefined,
  verity: 'disabled',
  upper: undefined,
  idmap: undefined,
  readOnly: false,
};

test('mount options', () => {
  const parse = (text: string): unknown => parseMountOptions(text, '');
  assert.deepEqual(parse('basedir=objects'), PLAIN);
  assert.deepEqual(parse('basedir=x,rw,basedir=objects,ro'), { ...PLAIN, readOnly: true });
  assert.deepEqual(parse('ro=no,rw,basedir=objects'), PLAIN);
  assert.deepEqual(parse('basedir=a:b/c'), { ...PLAIN, basedirs: ['a', 'b/c'] });
  assert.deepEqual(parse('basedir=a\\,b\\=c=d\\\\e'), { ...PLAIN, basedirs: ['a,b=c=d\\e'] });
  assert.deepEqual(parse('basedir=objects\\'), PLAIN);
  assert.deepEqual(parse('tryverity,basedir=objects'), { ...PLAIN, verity: 'try' });
  assert.deepEqual(parse('verity=x,tryverity,basedir=objects'), { ...PLAIN, verity: 'required' });
  assert.deepEqual(parse('digest=,basedir=objects'), { ...PLAIN, digest: '', verity: 'required' });
  assert.deepEqual(parse('basedir=objects,idmap=/ns,upperdir=u,workdir=w'), {
    ...PLAIN,
    idmap: '/ns',
    upper: { upperdir: 'u', workdir: 'w' },
  });
});

test('hostile option texts are split in linear time', () => {
  const text = `basedir=${'\\,'.repeat(500_000)}`;
  assert.equal(parseMountOptions(text, '').basedirs[0]?.length, 500_000);
  assert.throws(() => parseMountOptions('a\\='.repeat(200_000), ''), /Unsupported option/);
});

const USAGE_START = 'usage: mount.composefs [-t type] [-o opt[,opts..]] IMAGE MOUNTPOINT\nExample:\n';

test('CLI-148: what is wrong with a command line', () =>
  withTempDir(async (work) => {
    const objects = join(work, 'objects');
    const image = join(work, 'image');
    const none = join(work, 'none');
    mkdirSync(objects);
    writeFileSync(image, 'no image');
    const mount = (options: string, source = image): Promise<string> =>
      failureOf(mountComposefs, '-o', options, source, objects);
    const failed = (reason: string): string => `mount.composefs: ${reason}\n\n`;

    assert.ok((await failureOf(mountComposefs)).startsWith(`No source path specified\n${USAGE_START}`));
    assert.ok((await failureOf(mountComposefs, image)).startsWith(`No mount path specified\n${USAGE_START}`));
    assert.ok((await failureOf(mountComposefs, image, none)).startsWith(`No object dirs specified\n${USAGE_START}`));
    assert.ok(
      (await failureOf(mountComposefs, '-x')).startsWith(`mount.composefs: invalid option -- 'x'\n${USAGE_START}`),
    );
    assert.equal(await failureOf(mountComposefs, '-t', 'ext4'), failed("Unsupported fs type 'ext4'"));
    assert.equal(await mount('foo=1'), failed('Unsupported option foo'));
    assert.equal(await mount('basedir=x,'), failed('Unsupported option '));
    for (const option of ['basedir', 'digest', 'upperdir', 'workdir', 'idmap']) {
      assert.equal(await mount(option), failed(`No value specified for ${option} option`));
    }
    for (const value of ['', ':', 'a:', 'a::b']) {
      assert.equal(await mount(`basedir=${value}`), failed('Value for basedir option has incorrect format'));
    }
    assert.equal(
      await mount(`basedir=${objects},workdir=x`),
      failed('Both workdir and upperdir must be specified if used'),
    );
    assert.equal(
      await mount(`basedir=${objects},idmap=${none}`),
      failed(`Failed to open userns ${none}: No such file or directory`),
    );
    assert.equal(await mount(`basedir=${objects}`, none), failed(`Failed to open ${none}: No such file or directory`));
    const unmountable = `Failed to mount composefs ${image}:`;
    assert.equal(await mount(`basedir=${objects}`), failed(`${unmountable} Invalid argument`));
    assert.equal(await mount(`basedir=${objects},digest=xyz`), failed(`${unmountable} Invalid argument`));
    assert.equal(
      await mount(`basedir=${objects},digest=${'a'.repeat(64)}`),
      failed(`${unmountable} Image has no fs-verity`),
    );
  }));

test('-h shows the usage, which is no failure', () => {
  const { status, stdout, stderr } = runOurTool('mount.composefs', ['-h']);
  assert.equal(status, 0);
  assert.equal(stdout.length, 0);
  assert.ok(stderr.startsWith(USAGE_START));
});

/** Runs a shell script in a mount namespace of its own, which takes its mounts with it. */
function inMountNamespace(work: string, script: string): { status: number | null; stdout: string; stderr: string } {
  const tool = commandPath('mount.composefs');
  const args = ['-m', 'sh', '-ec', script, 'sh', process.execPath, tool];
  return spawnSync('unshare', args, { cwd: work, encoding: 'utf8' });
}

const skip = process.getuid?.() === 0 ? false : 'needs root';

function withImage(action: (work: string) => void): Promise<void> {
  return withTempDir(async (work) => {
    for (const name of ['source', 'mnt', 'upper', 'work', 'sbin']) mkdirSync(join(work, name));
    writeFileSync(join(work, 'source', 'big'), 'b'.repeat(1000));
    writeFileSync(join(work, 'source', 'small'), 'small');
    await mkcomposefs([`--digest-store=${join(work, 'objects')}`, join(work, 'source'), join(work, 'image')]);
    action(work);
  });
}

/** Where the kernel does not let us mount, there is nothing to test. */
function check(result: ReturnType<typeof inMountNamespace>, expected: string): void {
  if (/No such device|Operation not permitted/.test(result.stderr)) return;
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, expected, '']);
}

test('CLI-515: a mounted image shows its files, and cannot be written', { skip }, () =>
  withImage((work) => {
    const result = inMountNamespace(
      work,
      `"$@" -o basedir=objects image mnt
       cat mnt/small; cksum < mnt/big; cksum < source/big
       touch mnt/x 2>/dev/null || echo read-only
       grep -c '^composefs .* overlay ro' /proc/self/mounts`,
    );
    check(result, 'small3178466416 1000\n3178466416 1000\nread-only\n1\n'.replaceAll('3178466416', cksum(work)));
  }),
);

test('with an upper directory it can be written, unless it is mounted ro', { skip }, () =>
  withImage((work) => {
    const result = inMountNamespace(
      work,
      `"$@" -o basedir=objects,upperdir=upper,workdir=work image mnt
       echo new > mnt/new; rm mnt/small; umount mnt; cat upper/new
       "$@" -t composefs -o ro,basedir=objects,upperdir=upper,workdir=work -- image mnt
       ls mnt; touch mnt/x 2>/dev/null || echo read-only`,
    );
    check(result, 'new\nbig\nnew\nread-only\n');
  }),
);

test('mount -t composefs finds it', { skip }, () =>
  withImage((work) => {
    const result = inMountNamespace(
      work,
      `printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' "$@" > sbin/mount.composefs; chmod 755 sbin/mount.composefs
       mount -t overlay overlay -o "lowerdir=$PWD/sbin:/usr/sbin" /usr/sbin
       mount -t composefs image mnt -o "basedir=$PWD/objects"
       cat mnt/small`,
    );
    check(result, 'small');
  }),
);

test('what a missing object is asked for fails, and nothing else does', { skip }, () =>
  withImage((work) => {
    const result = inMountNamespace(
      work,
      `mkdir empty; "$@" -o basedir=empty image mnt
       cat mnt/small; cat mnt/big 2>/dev/null || echo missing; ls mnt`,
    );
    check(result, 'smallmissing\nbig\nsmall\n');
  }),
);

function cksum(work: string): string {
  return spawnSync('cksum', [join(work, 'source', 'big')], { encoding: 'utf8' }).stdout.split(' ', 1)[0] ?? '';
}
