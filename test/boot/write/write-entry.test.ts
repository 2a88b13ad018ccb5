import assert from 'node:assert/strict';
import fs, { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { getBootResources } from '../../../src/boot/entries/find.js';
import { planBootEntry } from '../../../src/boot/write/plan.js';
import { removeBootEntry, removeStaleBootEntries } from '../../../src/boot/write/stale-entries.js';
import { resolveBootPlan } from '../../../src/boot/write/write-entry.js';
import { errorCode } from '../../../src/errors.js';
import { withTempDir } from '../../support/paths.js';
import { buildUki } from '../../support/pe-builder.js';
import { treeOf } from '../tree-support.js';
import { boots, type Contents, image, karg, objects, write } from './entry-support.js';

const uki = (digit: string, addon?: string): Contents => ({
  'boot/EFI/Linux/os.efi': objects.add(buildUki(`quiet ${karg(digit).toCmdlineArg()}`)),
  ...(addon !== undefined && {
    'boot/EFI/Linux/os.efi.extra.d/a.addon.efi': objects.add(addon),
    'boot/loader/addons/all.addon.efi': objects.add(`${addon} for all`),
  }),
});

/** What is on the partition: files with the beginning of their content, directories only where empty. */
function listing(partition: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of readdirSync(partition, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(partition, name);
    if (lstatSync(path).isFile()) result[name] = readFileSync(path, 'latin1').slice(0, 11).replace(/\0.*/s, '').trim();
    else if (lstatSync(path).isDirectory() && readdirSync(path).length === 0) result[`${name}/`] = '';
  }
  return result;
}

test('an entry is written with its files, and once more without writing anything', () =>
  withTempDir((partition) => {
    const first = write(partition, 'a', image('a'));
    assert.deepEqual(first, {
      entry: 'loader/entries/6.1.conf',
      written: ['6.1/vmlinuz', '6.1/initramfs.img', 'loader/entries/6.1.conf'],
      kept: [],
      removed: [],
    });
    assert.equal(
      readFileSync(join(partition, 'loader/entries/6.1.conf'), 'utf8'),
      `# File created by composefs
title todoOS
version 0-todo
linux /6.1/vmlinuz
initrd /6.1/initramfs.img
options composefs.digest=v1-sha256-12:${'a'.repeat(64)}
`,
    );
    assert.equal(boots(partition, '6.1'), 'a');
    assert.deepEqual(write(partition, 'a', image('a')), { ...first, written: [], kept: first.written });
  }));

test('an entry of the same name is replaced without touching what the old one needs', () =>
  withTempDir((partition) => {
    write(partition, 'a', image('a'));
    const second = write(partition, 'b', image('b'));
    assert.equal(boots(partition, '6.1'), 'b');
    assert.deepEqual(second.removed, ['6.1/vmlinuz', '6.1/initramfs.img']);
    const directory = second.written[0]?.split('/')[0] ?? '';
    assert.match(directory, /^6\.1-[0-9a-f]{12}$/);
    assert.deepEqual(listing(partition), {
      [`${directory}/vmlinuz`]: 'kernel b ke',
      [`${directory}/initramfs.img`]: 'initramfs b',
      'loader/entries/6.1.conf': '# File crea',
    });
    // The next one finds the plain name free again.
    assert.deepEqual(write(partition, 'c', image('c')).removed.length, 2);
    assert.deepEqual(Object.keys(listing(partition)), ['6.1/initramfs.img', '6.1/vmlinuz', 'loader/entries/6.1.conf']);
    assert.equal(boots(partition, '6.1'), 'c');
  }));

test('entries of different names stand side by side', () =>
  withTempDir((partition) => {
    write(partition, 'a', image('a'), { entryId: 'one' });
    write(partition, 'b', image('b'), { entryId: 'two', cmdlineExtra: ['quiet'] });
    assert.deepEqual([boots(partition, 'one'), boots(partition, 'two')], ['a', 'b']);
    // Files that another entry names stay when theirs is replaced.
    writeFileSync(
      join(partition, 'loader/entries/other.conf'),
      readFileSync(join(partition, 'loader/entries/one.conf'), 'utf8'),
    );
    assert.deepEqual(write(partition, 'c', image('c'), { entryId: 'one' }).removed, []);
    assert.deepEqual(
      ['one', 'two', 'other'].map((name) => boots(partition, name)),
      ['c', 'b', 'a'],
    );
  }));

test('an entry in a subdirectory names its files with it', () =>
  withTempDir((partition) => {
    const options = { entryId: 'x', bootSubdir: 'sub/dir' };
    write(partition, 'a', image('a'), options);
    const entry = () => readFileSync(join(partition, 'sub/dir/loader/entries/x.conf'), 'utf8');
    assert.match(entry(), /^linux \/sub\/dir\/x\/vmlinuz\ninitrd \/sub\/dir\/x\/initramfs.img$/m);
    assert.deepEqual(write(partition, 'b', image('b'), options).removed, [
      'sub/dir/x/vmlinuz',
      'sub/dir/x/initramfs.img',
    ]);
    const linux = /^linux \/(.*)$/m.exec(entry())?.[1] ?? '';
    assert.equal(readFileSync(join(partition, linux), 'utf8').slice(0, 8), 'kernel b');
  }));

test('files of several entries of an image, of the same name, stay apart', () =>
  withTempDir((partition) => {
    const contents = (digit: string): Contents => ({
      'boot/loader/entries/os.conf': 'linux /a/k\ninitrd /b/k\n',
      'a/k': `kernel ${digit} `.repeat(500),
      'b/k': `initramfs ${digit} `.repeat(700),
    });
    write(partition, 'a', contents('a'));
    assert.equal(boots(partition, 'os'), 'a');
    write(partition, 'b', contents('b'));
    assert.equal(boots(partition, 'os'), 'b');
  }));

test('whatever call is the last one before the machine stops, the old entry boots, or the new one', () =>
  withTempDir((dir) => {
    let calls = 1;
    const seen = new Set<string | undefined>();
    for (let last = 0; last < calls; last++) {
      const partition = join(dir, String(last));
      mkdirSync(partition);
      write(partition, 'a', image('a'));
      write(partition, 'd', image('d'), { entryId: 'other' });
      calls = stopAfter(last, () => write(partition, 'b', image('b')));
      seen.add(boots(partition, '6.1'));
      assert.equal(boots(partition, 'other'), 'd');
      // And the next attempt comes to its end, with nothing left over.
      write(partition, 'b', image('b'));
      assert.equal(boots(partition, '6.1'), 'b');
      const names = readdirSync(partition, { recursive: true, encoding: 'utf8' });
      assert.deepEqual(
        names.filter((name) => name.includes('.composefs-')),
        [],
      );
    }
    assert.deepEqual([...seen], ['a', 'b']);
    assert(calls > 15, `${calls} calls`);
  }));

test('a call that fails leaves the partition as it was', () =>
  withTempDir((dir) => {
    for (const call of ['writeSync', 'fsyncSync', 'renameSync', 'mkdirSync'] as const) {
      for (let nth = 1; nth <= 3; nth++) {
        const partition = join(dir, `${call}${nth}`);
        mkdirSync(partition);
        write(partition, 'a', image('a'), { entryId: 'old' });
        const before = listing(partition);
        const code = failingAt(call, nth, 'ENOSPC', () => write(partition, 'b', image('b'), { entryId: 'new' }));
        assert.equal(code, 'ENOSPC', `${call} ${nth}`);
        assert.deepEqual(listing(partition), before);
      }
    }
  }));

test('files are on disk before they get their names', () =>
  withTempDir((partition) => {
    const events = recording(() => write(partition, 'a', image('a')));
    const order = events.map(
      ([call, path]) => `${call} ${path.replace(partition, '').replace(/\.composefs-.*/, 'TEMP')}`,
    );
    assert.deepEqual(order, [
      'mkdir /6.1',
      'fsync ',
      'rename /6.1/TEMP',
      'mkdir /6.1',
      'fsync ',
      'rename /6.1/TEMP',
      'mkdir /loader',
      'mkdir /loader/entries',
      'fsync ',
      'rename /loader/entries/TEMP',
    ]);
  }));

test('UKIs are written whole, with addons if they are asked for', () =>
  withTempDir((partition) => {
    write(partition, 'a', uki('a', 'addon a'));
    assert.deepEqual(Object.keys(listing(partition)), ['EFI/Linux/os.efi']);
    write(partition, 'a', uki('a', 'addon a'), { addons: true, entryId: 'new' });
    assert.deepEqual(listing(partition), {
      'EFI/Linux/os.efi': 'MZ',
      'EFI/Linux/new.efi': 'MZ',
      'EFI/Linux/new.efi.extra.d/a.addon.efi': 'addon a',
      'loader/addons/all.addon.efi': 'addon a for',
    });
    const again = () => write(partition, 'b', uki('b', 'addon b'), { addons: true, entryId: 'new' });
    assert.throws(again, { code: 'BOOT_FILE_IN_USE' });
    write(partition, 'b', uki('b'), {});
    assert(readFileSync(join(partition, 'EFI/Linux/os.efi')).includes('b'.repeat(64)));
    assert.throws(() => write(partition, 'c', uki('b')), { code: 'WRONG_UKI_DIGEST' });
  }));

test('names and arguments that would lead elsewhere are refused', () =>
  withTempDir((partition) => {
    for (const entryId of ['', '.', '..', 'a/b', '../a', 'a\nb', 'a\0b', 'x'.repeat(251)]) {
      assert.throws(() => write(partition, 'a', image('a'), { entryId }), { code: 'INVALID_ENTRY_ID' }, entryId);
    }
    for (const bootSubdir of ['..', 'a/../b', 'a\nb']) {
      assert.throws(() => write(partition, 'a', image('a'), { entryId: 'x', bootSubdir }), {
        code: 'INVALID_ENTRY_ID',
      });
    }
    for (const argument of ['', 'a\nlinux /x', 'a\0']) {
      const code = 'INVALID_KERNEL_ARGUMENT';
      assert.throws(() => write(partition, 'a', image('a'), { cmdlineExtra: [argument] }), { code }, argument);
    }
    assert.throws(() => write(partition, 'a', image('a', 'x\noptions quiet')), { code: 'INVALID_ENTRY_ID' });
    assert.throws(() => write(partition, 'a', {}), { code: 'NO_BOOT_ENTRIES' });
    const aboot = { 'boot/aboot-1.img': objects.add(buildUki('quiet')) };
    assert.throws(() => write(partition, 'a', aboot), { code: 'ABOOT_UNSUPPORTED' });
    assert.deepEqual(listing(partition), {});
  }));

test('a dry run says what would be written', () =>
  withTempDir((partition) => {
    const planned = (digit: string) => {
      const entries = getBootResources(treeOf(image(digit)), objects);
      const plan = resolveBootPlan(objects, planBootEntry(entries, objects, { karg: karg(digit) }), partition);
      return [...plan.files, plan.entry].map(({ path }) => path);
    };
    assert.deepEqual(planned('a'), ['6.1/vmlinuz', '6.1/initramfs.img', 'loader/entries/6.1.conf']);
    assert.deepEqual(listing(partition), {});
    write(partition, 'a', image('a'));
    const paths = planned('b');
    assert.deepEqual(write(partition, 'b', image('b')).written, paths);
  }));

test('entries whose image is gone are removed on request, with what only they need', () =>
  withTempDir((partition) => {
    write(partition, 'a', image('a'), { entryId: 'a' });
    write(partition, 'b', image('b'), { entryId: 'b' });
    write(partition, 'c', uki('c'));
    mkdirSync(join(partition, 'shared'));
    const foreign = { 'shared/vmlinuz': 'k', 'loader/entries/foreign.conf': 'linux /shared/vmlinuz\noptions root=x\n' };
    const odd = { 'loader/entries/odd.conf': 'linux /b/vmlinuz\noptions composefs=zz\n', 'EFI/Linux/odd.efi': 'no PE' };
    for (const [path, text] of Object.entries({ ...foreign, ...odd })) writeFileSync(join(partition, path), text);
    symlinkSync('/etc/passwd', join(partition, 'loader/entries/link.conf'));
    const there =
      (digits: string) =>
      ({ digest }: { digest: string }) =>
        digits.includes(digest.charAt(0));

    assert.deepEqual(removeStaleBootEntries(partition, there('abc')), []);
    const removed = (digits: string, dryRun = false) =>
      removeStaleBootEntries(partition, there(digits), { dryRun }).map(({ entry, files }) => [entry, ...files]);
    const before = listing(partition);
    const expected = [['loader/entries/a.conf', 'a/vmlinuz', 'a/initramfs.img']];
    assert.deepEqual(removed('bc', true), expected);
    assert.deepEqual(listing(partition), before);
    assert.deepEqual(removed('bc'), expected);
    // The odd entry names the kernel of b, and stays itself.
    assert.deepEqual(removed(''), [['loader/entries/b.conf', 'b/initramfs.img'], ['EFI/Linux/os.efi']]);
    assert.deepEqual(Object.keys(listing(partition)), [
      'EFI/Linux/odd.efi',
      'b/vmlinuz',
      'loader/entries/foreign.conf',
      'loader/entries/odd.conf',
      'shared/vmlinuz',
    ]);
  }));

test('one entry is removed by its name', () =>
  withTempDir((partition) => {
    write(partition, 'a', image('a'), { entryId: 'a' });
    write(partition, 'b', image('b'), { entryId: 'b' });
    write(partition, 'c', uki('c'));
    writeFileSync(join(partition, 'loader/entries/foreign.conf'), 'linux /x\n');
    assert.deepEqual(removeBootEntry(partition, 'a').files, ['a/vmlinuz', 'a/initramfs.img']);
    assert.equal(removeBootEntry(partition, 'os.efi').entry, 'EFI/Linux/os.efi');
    for (const name of ['a', 'foreign', '', '../b']) {
      assert.throws(() => removeBootEntry(partition, name), {
        code: 'BOOT_ENTRY_NOT_FOUND',
        hint: 'there are: b.conf',
      });
    }
    assert.equal(boots(partition, 'b'), 'b');
    assert.deepEqual(Object.keys(listing(partition)), [
      'EFI/Linux/',
      'b/initramfs.img',
      'b/vmlinuz',
      'loader/entries/b.conf',
      'loader/entries/foreign.conf',
    ]);
  }));

type Call = 'writeSync' | 'fsyncSync' | 'renameSync' | 'mkdirSync' | 'unlinkSync' | 'rmdirSync';
const CALLS: readonly Call[] = ['writeSync', 'fsyncSync', 'renameSync', 'mkdirSync', 'unlinkSync', 'rmdirSync'];

/** Runs `action` with changed file calls. */
function withCalls(change: (name: Call, args: readonly unknown[]) => void, action: () => void): void {
  const originals = CALLS.map((name) => [name, fs[name]] as const);
  try {
    for (const [name, original] of originals) {
      Object.assign(fs, {
        [name]: (...args: unknown[]) => {
          change(name, args);
          return Reflect.apply(original, fs, args);
        },
      });
    }
    syncBuiltinESMExports();
    action();
  } finally {
    for (const [name, original] of originals) Object.assign(fs, { [name]: original });
    syncBuiltinESMExports();
  }
}

/** Lets that many calls happen, and none after them; returns how many there would have been, or one more. */
function stopAfter(count: number, action: () => void): number {
  let calls = 0;
  withCalls(
    () => {
      calls += 1;
      if (calls > count) throw Object.assign(new Error('stopped'), { code: 'ESTOPPED' });
    },
    () => {
      try {
        action();
      } catch (error) {
        assert.equal(errorCode(error), 'ESTOPPED');
      }
    },
  );
  return calls > count ? count + 2 : calls + 1;
}

function failingAt(call: Call, nth: number, code: string, action: () => void): string {
  let calls = 0;
  let result = 'nothing';
  withCalls(
    (name) => {
      if (name === call && ++calls === nth) throw Object.assign(new Error(code), { code });
    },
    () => {
      try {
        action();
      } catch (error) {
        result = errorCode(error);
      }
    },
  );
  return result;
}

function recording(action: () => void): [call: string, path: string][] {
  const events: [string, string][] = [];
  withCalls((name, [path]) => {
    if (name === 'writeSync') return;
    events.push([name.replace('Sync', ''), typeof path === 'number' ? '' : String(path)]);
  }, action);
  return events;
}
