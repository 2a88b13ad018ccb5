import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { reserveDescriptors } from '../../src/linux/descriptor-table.js';

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
