import { createHash, type Hash, hash } from 'node:crypto';
import { addressOf, type ForeignFunction, loadLibrary } from './ffi.js';

/** Less is hashed sooner than handed to another thread. */
const SMALL_PIECE = 64 * 1024;
/** `SHA256_CTX` has 112 bytes. */
const STATE_SIZE = 256;

/** A hash of bytes that come in pieces. */
export interface StreamHash {
  update(piece: Uint8Array): void;
  /**
   * {@link update} in a thread of Node's pool, where that is possible. The piece stays as it is until the promise settles,
   * and no other one comes before that.
   */
  updateBeside(piece: Uint8Array): Promise<void>;
  /** In hexadecimal digits. Ends the hash. */
  digest(): string;
}

/** @param algorithm as Node knows it. Pieces of `sha256` are hashed beside what the caller does. */
export function streamHash(algorithm: string): StreamHash {
  return (algorithm === 'sha256' ? opensslSha256() : undefined) ?? nodeStreamHash(algorithm);
}

/** Undefined where the functions are missing. */
export function opensslSha256(): StreamHash | undefined {
  functions ??= bindFunctions();
  return functions === 'missing' ? undefined : new OpensslHash(functions);
}

export function nodeStreamHash(algorithm: string): StreamHash {
  return new NodeHash(algorithm);
}

interface Functions {
  readonly init: ForeignFunction;
  readonly update: ForeignFunction;
  readonly final: ForeignFunction;
}

let functions: Functions | 'missing' | undefined;

/** Those of the OpenSSL in the process: Node's own hash cannot be asked for a piece in the background. */
function bindFunctions(): Functions | 'missing' {
  try {
    const library = loadLibrary([null]);
    const found = {
      init: library.func('int SHA256_Init(uintptr_t)'),
      update: library.func('int SHA256_Update(uintptr_t, const void *, size_t)'),
      final: library.func('int SHA256_Final(void *, uintptr_t)'),
    };
    return isRight(found) ? found : 'missing';
  } catch {
    return 'missing';
  }
}

/** Whether a hash of known bytes is what Node computes. */
function isRight(found: Functions): boolean {
  const known = Buffer.alloc(1000, 'known');
  const candidate = new OpensslHash(found);
  candidate.update(known.subarray(0, 10));
  candidate.update(known.subarray(10));
  return candidate.digest() === hash('sha256', known, 'hex');
}

class OpensslHash implements StreamHash {
  readonly #functions: Functions;
  /** Off the heap, where V8 does not move it; freed with this object. */
  readonly #state = Buffer.from(new ArrayBuffer(STATE_SIZE));
  readonly #address = addressOf(this.#state);

  constructor(functions: Functions) {
    this.#functions = functions;
    functions.init(this.#address);
  }

  update(piece: Uint8Array): void {
    this.#functions.update(this.#address, piece, piece.length);
  }

  async updateBeside(piece: Uint8Array): Promise<void> {
    if (piece.length < SMALL_PIECE) return this.update(piece);
    await new Promise<void>((resolve, reject) => {
      this.#functions.update.async(this.#address, piece, piece.length, (error: unknown) => {
        // Both are named here, so that neither is collected while the thread works with it.
        if (error === null && piece.length + this.#state.length > 0) resolve();
        else reject(error);
      });
    });
  }

  digest(): string {
    const result = Buffer.alloc(32);
    this.#functions.final(result, this.#address);
    return result.toString('hex');
  }
}

class NodeHash implements StreamHash {
  readonly #hash: Hash;

  constructor(algorithm: string) {
    this.#hash = createHash(algorithm);
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  async updateBeside(piece: Uint8Array): Promise<void> {
    this.#hash.update(piece);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}
