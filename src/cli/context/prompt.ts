import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { printable } from '../../bytes/printable.js';
import { ComposefsError } from '../../errors.js';
import { InterruptedError } from './interrupt.js';

/** Whether there is somebody to ask. */
export function canPrompt(): boolean {
  return process.stdin.isTTY === true;
}

/** Asks for a line on the terminal; a `secret` one is not shown. The question goes to standard error. */
export async function prompt(question: string, options: { readonly secret?: boolean } = {}): Promise<string> {
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      reader.on('SIGINT', () => reject(new InterruptedError(130)));
      // Too late to matter where there was an answer.
      reader.on('close', () => reject(new ComposefsError('NO_ANSWER', 'The input ended before there was an answer')));
      reader.question(printable(question)).then(resolve, reject);
      // The question has been written by now; what is typed stays unseen.
      isMuted = options.secret === true;
    });
  } finally {
    reader.close();
    if (isMuted) process.stderr.write('\n');
  }
}

/** All of standard input as text, without the newline at its end. */
export async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}
