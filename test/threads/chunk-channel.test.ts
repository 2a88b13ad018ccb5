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

test('no more is asked for than the reader wants, and nothing before it reads', async () => {
  let asked = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      asked += 1;
      yield Buffer.alloc(1 << 18);
    }
  }
  const { port1, port2 } = new MessageChannel();
  const sending = sendChunks(port1, endless());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(asked, 0);
  const chunks = receiveChunks(port2, signal);
  for (let read = 1; read <= 10; read++) {
    assert.equal((await chunks.next()).value?.length, 1 << 18);
    await new Promise((resolve) => setTimeout(resolve, 2));
    // The window of 1 MiB, and the chunk that is asked for when it is open.
    assert.ok(asked <= read + 5, `${asked} asked for after ${read}`);
  }
  await chunks.return(undefined);
  // The reader is gone: sending ends, and so do the chunks.
  await sending;
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
