import { createRequire } from 'node:module';
import { type ByteString, writeBytes } from '../bytes/byte-string.js';
import { ComposefsError, errorCode } from '../errors.js';
import { withoutTermination } from '../threads/thread-side.js';

/**
 * The package with the compiled code of koffi for this machine. It is a whole koffi by itself; the package `koffi` adds
 * the choice among them, its source, and a script at install that compiles that where no other is there.
 */
export const KOFFI_PACKAGE: string = `@koromix/koffi-linux-${process.arch}`;

/** What is used of koffi (https://koffi.dev). */
interface Koffi {
  load(name: string | null): Library;
  errno(): number;
  address(buffer: Uint8Array): bigint;
  decode(address: bigint, type: 'string'): unknown;
  readonly os: { readonly errno: Readonly<Record<string, number>> };
}

interface Library {
  func(...definition: (string | readonly string[])[]): ForeignFunction;
}

/** It has the types that its definition says. `async` takes a callback `(error, result)` as its last argument. */
export interface ForeignFunction {
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  (...args: any[]): any;
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  readonly async: (...args: any[]) => void;
}

/**
 * Foreign functions: the only module that knows koffi.
 *
 * koffi is loaded when the first function is needed, and synchronously: listings and `--help` never pay for it, and
 * where it has no build for the platform everything that needs no such call still works. A thread that is ended while
 * koffi loads or binds would abort the process, so whatever does either is done {@link withoutTermination}.
 */
export interface NativeLibrary {
  /** Binds a function, by its prototype in C or by its name and the types as koffi names them. */
  func(...definition: [prototype: string] | [name: string, result: string, parameters: string[]]): ForeignFunction;
}

let koffi: Koffi | undefined;
const libraries = new Map<string | null, NativeLibrary>();

/** The C library: that of the running process. */
export function loadLibc(): NativeLibrary {
  return loadLibrary([null]);
}

/** Whether there are system calls at all. Without them Node can open anonymous files, say, but not give them a name. */
export function hasSystemCalls(): boolean {
  try {
    loadLibc();
    return true;
  } catch {
    return false;
  }
}

/**
 * The first library that can be loaded. `null` stands for the process itself with all that is linked into it.
 *
 * @param names file names as for `dlopen(3)`: `libzstd.so.1`.
 * @throws ComposefsError `FFI_UNAVAILABLE` with the reasons.
 */
export function loadLibrary(names: readonly (string | null)[]): NativeLibrary {
  const { load } = loadKoffi();
  const causes: unknown[] = [];
  for (const name of names) {
    const known = libraries.get(name);
    if (known !== undefined) return known;
    try {
      const library = withoutTermination(() => bindable(load(name)));
      libraries.set(name, library);
      return library;
    } catch (cause) {
      causes.push(cause);
    }
  }
  const wanted = names.map((name) => name ?? 'the running process').join(' or ');
  throw unavailable(`cannot load ${wanted}: ${causes.map(reason).join('; ')}`, causes[0]);
}

/**
 * A function of the C library that is looked up when it is called for the first time.
 *
 * @param name the symbol; several functions may share one, for calls that take arguments of different types.
 * @param result and @param parameters types as koffi names them.
 * @throws ComposefsError `FFI_UNAVAILABLE`, by the returned function, where it cannot be called.
 */
export function libcFunction<Arguments extends unknown[], Result>(
  name: string,
  result: string,
  parameters: readonly string[],
): (...args: Arguments) => Result {
  let bound: ((...args: Arguments) => Result) | undefined;
  return (...args) => {
    bound ??= bindForeign(name, result, parameters);
    return bound(...args);
  };
}

/**
 * As {@link libcFunction}, for a call that can take long: it runs in a thread of Node's pool. `failure` makes an error of
 * a result below 0, while `errno` is that of the call.
 */
export function libcFunctionInBackground<Arguments extends unknown[]>(
  name: string,
  parameters: readonly string[],
  failure: (...args: Arguments) => Error,
): (...args: Arguments) => Promise<number> {
  let bound: ForeignFunction | undefined;
  return (...args) =>
    new Promise((resolve, reject) => {
      bound ??= bindForeign(name, 'int', parameters);
      bound.async(...args, (error: unknown, result: number) => {
        if (error !== null) reject(error);
        else if (result < 0) reject(failure(...args));
        else resolve(result);
      });
    });
}

/** `errno` of the last foreign call of this thread. */
export function lastErrno(): number {
  return loadKoffi().errno();
}

/** Names and numbers as the C library's headers have them. */
export function errnoNumbers(): Readonly<Record<string, number>> {
  return loadKoffi().os.errno;
}

/** Where the bytes of a buffer are. The caller keeps the buffer alive as long as the address is in use. */
export function addressOf(buffer: Uint8Array): bigint {
  return loadKoffi().address(buffer);
}

/** The text to which the `char *` in a buffer points. */
export function textOf(buffer: Uint8Array, offset: number): string {
  return String(loadKoffi().decode(addressOf(buffer) + BigInt(offset), 'string'));
}

/** A path or name as C wants it. Text is UTF-8. */
export function cString(text: string | Uint8Array): Buffer {
  // One allocation: paths of objects come here by the ten thousand.
  if (typeof text === 'string' && !text.includes('\0')) return Buffer.from(`${text}\0`, 'utf8');
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  if (bytes.includes(0)) {
    throw new ComposefsError('EINVAL', `${JSON.stringify(Buffer.from(bytes).toString('utf8'))} contains a NUL byte`);
  }
  const result = Buffer.alloc(bytes.length + 1);
  result.set(bytes);
  return result;
}

/** Longer than any name, so that most paths fit. */
const brief: Buffer = Buffer.allocUnsafeSlow(1024);

/** {@link cString} for one call: the next one writes over it. For what is called with one name after the other. */
export function briefCString(bytes: ByteString): Buffer {
  const { length } = bytes;
  if (length >= brief.length || bytes.includes('\0')) return cString(Buffer.from(bytes, 'latin1'));
  writeBytes(brief, 0, bytes);
  brief[length] = 0;
  return brief;
}

function bindable(library: Library): NativeLibrary {
  return {
    func: (...definition) => withoutTermination(() => library.func(...definition)),
  };
}

function bindForeign(name: string, result: string, parameters: readonly string[]): ForeignFunction {
  try {
    return loadLibc().func(name, result, [...parameters]);
  } catch (cause) {
    if (cause instanceof ComposefsError) throw cause;
    throw unavailable(`the C library has no function ${name}: ${reason(cause)}`, cause);
  }
}

function loadKoffi(): Koffi {
  if (koffi !== undefined) return koffi;
  try {
    const loaded: Koffi = withoutTermination(() => createRequire(import.meta.url)(KOFFI_PACKAGE));
    koffi = loaded;
    return loaded;
  } catch (cause) {
    // Nothing to add: the message of a package that is not there has the list of who asked for it.
    const isAbsent = errorCode(cause) === 'MODULE_NOT_FOUND';
    throw unavailable(`cannot load koffi: ${reason(cause)}`, isAbsent ? undefined : cause);
  }
}

function reason(cause: unknown): string {
  // Of a module that cannot be loaded Node says in further lines who asked for it.
  const [first = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  return first;
}

function unavailable(why: string, cause: unknown): ComposefsError {
  return new ComposefsError('FFI_UNAVAILABLE', `system calls are not available: ${why}`, {
    cause,
    hint: `install the optional package ${KOFFI_PACKAGE}`,
  });
}
