import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { receiveChunks, sendChunks } from '../../src/threads/chunk-channel.js';

const signal = new AbortController().signal;

async function* chunksOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield chunk;
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

test('what is sent arrives, whatever the sizes of the chunks and whoever else looks at their memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 20 }), async (sizes) => {
      const chunks = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      // Pieces of one memory, as what a socket brings may be, and small ones from the pool of Node.
      const shared = Buffer.concat(chunks);
      let offset = 0;
      const pieces = chunks.map(({ length }, index) => {
        const piece = shared.subarray(offset, offset + length);
        offset += length;
        return index % 3 === 0 ? Buffer.from(piece) : piece;
      });
      const { port1, port2 } = new MessageChannel();
      const [, received] = await Promise.all([
        sendChunks(port1, chunksOf(pieces)),
        collect(receiveChunks(port2, signal)),
      ]);
      assert.deepEqual(received, Buffer.concat(chunks));
      assert.equal(shared.length, received.length);
    }),
    { numRuns: 50 },
  );
});

test('no more is asked for than there is memory for, which comes back from the reader', async () => {
  const block = 1 << 18;
  let asked = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(block, ++asked);
  }
  const { port1, port2 } = new MessageChannel();
  const sending = sendChunks(port1, endless());
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Nobody reads: the blocks of 16, 64 and three times 256 KiB are full.
  assert.equal(asked, 4);
  const chunks = receiveChunks(port2, signal);
  let received = 0;
  for (let read = 1; read <= 20; read++) {
    const chunk = (await chunks.next()).value;
    assert.ok(chunk !== undefined && chunk.length <= block);
    for (let offset = 0; offset < chunk.length; received++, offset++) {
      // Not each of them: a million comparisons take a second.
      if (received % 1021 === 0) assert.equal(chunk[offset], Math.floor(received / block) + 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.ok(asked * block <= received + 6 * block, `${asked} asked for after ${received} bytes`);
  }
  await chunks.return(undefined);
  // The reader is gone: sending ends, and so do the chunks.
  await sending;
});

test('a chunk stays what it is until the second one after it is asked for', async () => {
  const block = 1 << 18;
  async function* numbered(): AsyncGenerator<Buffer> {
    const memory = Buffer.alloc(block);
    for (let number = 1; number <= 30; number++) yield memory.fill(number);
  }
  const { port1, port2 } = new MessageChannel();
  const sending = sendChunks(port1, numbered());
  let previous: Buffer | undefined;
  let copy: Buffer | undefined;
  let received = 0;
  for await (const chunk of receiveChunks(port2, signal)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (previous !== undefined && copy !== undefined) assert.ok(previous.equals(copy));
    [previous, copy] = [chunk, Buffer.from(chunk)];
    received += chunk.length;
  }
  await sending;
  assert.equal(received, 30 * block);
});

test('an error of the sender is its own; the reader is told that there is one', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('some');
    throw new Error('the network is down');
  }
  const { port1, port2 } = new MessageChannel();
  const [sent, received] = await Promise.allSettled([
    sendChunks(port1, broken()),
    collect(receiveChunks(port2, signal)),
  ]);
  assert.match(String(sent.status === 'rejected' && sent.reason), /the network is down/);
  assert.equal(received.status === 'rejected' && received.reason.code, 'SENDER_FAILED');
});

test('a reader that is stopped, or whose sender is gone, does not wait for ever', async () => {
  const stop = new AbortController();
  const first = new MessageChannel();
  const reading = collect(receiveChunks(first.port2, stop.signal));
  stop.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
  await sendChunks(first.port1, chunksOf([Buffer.from('x')]));

  const second = new MessageChannel();
  const alone = collect(receiveChunks(second.port2, signal));
  second.port1.close();
  await assert.rejects(alone, { code: 'SENDER_FAILED' });
});
