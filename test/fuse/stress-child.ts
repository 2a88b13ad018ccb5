import { strict as assert } from 'node:assert';
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statfsSync } from 'node:fs';
import { byteStringFromText } from '../../src/bytes/byte-string.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { stressContent, stressSize } from './stress-tree.js';

/** Random operations on a mounted stress tree, each with a check of its result: MOUNT-POINT SECONDS FILES */
const [mountPoint = '', seconds = '1', files = '1'] = process.argv.slice(2);
const count = Number(files);
const end = Date.now() + 1000 * Number(seconds);

function random(limit: number): number {
  return Math.floor(Math.random() * limit);
}

function fileOf(n: number): string {
  return `${mountPoint}/d${n % 10}/f${n}`;
}

const operations: readonly ((n: number) => void)[] = [
  (n) => assert(readFileSync(fileOf(n)).equals(stressContent(n))),
  (n) => {
    const fd = openSync(fileOf(n), 'r');
    const offset = random(stressSize(n) + 10);
    const buffer = Buffer.alloc(random(100_000) + 1);
    const size = readSync(fd, buffer, 0, buffer.length, offset);
    closeSync(fd);
    assert(buffer.subarray(0, size).equals(stressContent(n).subarray(offset, offset + buffer.length)));
  },
  (n) => assert.equal(lstatSync(fileOf(n)).size, stressSize(n)),
  (n) => assert.equal(readlinkSync(`${mountPoint}/links/l${n}`), `../d${n % 10}/f${n}`),
  (n) => assert.equal(readXattrs(fileOf(n)).get(byteStringFromText('user.n')), `${n}`),
  (n) => assert.equal(readdirSync(`${mountPoint}/d${n % 10}`).length, Math.ceil((count - (n % 10)) / 10)),
  () => assert.throws(() => lstatSync(`${mountPoint}/missing-${random(2 ** 40)}`), { code: 'ENOENT' }),
  () => assert.throws(() => openSync(`${mountPoint}/d0/f0`, 'r+'), { code: 'EROFS' }),
  () => assert.equal(statfsSync(mountPoint).bsize, 4096),
];

let done = 0;
while (Date.now() < end) {
  for (let i = 0; i < 20; i++, done++) operations[random(operations.length)]?.(random(count));
}
process.stdout.write(String(done));
