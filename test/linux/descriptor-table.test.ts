import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { reserveDescriptors } from '../../src/linux/descriptor-table.js';
import { Thread } from '../../src/threads/thread.js';
import { tempDir } from '../support/paths.js';

const tableSize = (): number =>
  Number(/^FDSize:\s*([0-9]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? assert.fail());
const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('the table of open files is made larger once, and no file stays open for that', async () => {
  const fd = openSync('.', 'r');
  try {
    const [before, size] = [openFiles(), tableSize()];
    await Promise.all([reserveDescriptors(fd, 900), reserveDescriptors(fd, 900)]);
    assert.ok(size < 900 && tableSize() >= 900, `${size} ${tableSize()}`);
    assert.equal(openFiles(), before);
    const reserved = tableSize();
    await reserveDescriptors(fd, 10 * reserved);
    assert.equal(tableSize(), reserved);
  } finally {
    closeSync(fd);
  }
});

test('a thread that is ended meanwhile leaves none open', async (context) => {
  const directory = tempDir(context);
  const fd = openSync(directory, 'r');
  const copies = (): string[] => readdirSync('/proc/self/fd').filter((name) => targetOf(name) === directory);
  try {
    const threads = Array.from({ length: 8 }, () => new Thread(new URL('./reserving-thread.js', import.meta.url)));
    await Promise.all(
      threads.map(async (thread) => {
        const reserving = new Promise((resolve) => thread.onMessage(resolve));
        thread.post(fd);
        await reserving;
        await thread.end();
      }),
    );
    assert.deepEqual(copies(), [String(fd)]);
  } finally {
    closeSync(fd);
  }
});

/** Undefined if it is not open any more. */
function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}
