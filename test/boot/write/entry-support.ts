import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsCmdline } from '../../../src/boot/cmdline/composefs-argument.js';
import { getBootResources } from '../../../src/boot/entries/find.js';
import { BootLoaderEntryFile } from '../../../src/boot/formats/bls.js';
import type { BootWriteOptions } from '../../../src/boot/write/plan.js';
import { type WrittenBootEntry, writeBootSimple } from '../../../src/boot/write/write-entry.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { TestObjects, treeOf } from '../tree-support.js';

/** Images that are a kernel and an initramfs, told apart by a hex digit, and whether an entry boots one of them. */

export type Contents = Parameters<typeof treeOf>[0];

export const objects: TestObjects = new TestObjects();

export const karg = (digit: string): ComposefsCmdline =>
  new ComposefsCmdline(1, 'sha256', parseObjectId('sha256', digit.repeat(64)));

const vmlinuz = (digit: string): string => `kernel ${digit} `.repeat(500);
const initramfs = (digit: string): string => `initramfs ${digit} `.repeat(700);

/** Image `digit`, with a kernel and an initramfs of its own. */
export const image = (digit: string, kver = '6.1'): Contents => ({
  [`usr/lib/modules/${kver}/vmlinuz`]: objects.add(vmlinuz(digit)),
  [`usr/lib/modules/${kver}/initramfs.img`]: objects.add(initramfs(digit)),
});

export function write(
  partition: string,
  digit: string,
  contents: Contents,
  options: Omit<BootWriteOptions, 'karg'> = {},
): WrittenBootEntry {
  const entries = getBootResources(treeOf(contents), objects);
  return writeBootSimple(objects, entries, partition, { karg: karg(digit), ...options });
}

/**
 * The image that an entry boots; undefined if there is no entry.
 *
 * @throws AssertionError if the kernel or the initramfs that it names is not that of the image, or not whole.
 */
export function boots(partition: string, entry: string): string | undefined {
  const path = join(partition, 'loader/entries', `${entry}.conf`);
  if (!existsSync(path)) return undefined;
  const file = new BootLoaderEntryFile(readFileSync(path, 'utf8'));
  const digit = /composefs.digest=v1-sha256-12:(.)/.exec(file.getValue('options') ?? '')?.[1] ?? 'none';
  const content = (key: string) => readFileSync(join(partition, file.getValue(key) ?? ''), 'utf8');
  assert.equal(content('linux'), vmlinuz(digit));
  assert.equal(content('initrd'), initramfs(digit));
  return digit;
}
