import fs from 'node:fs';
import Module, { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { KOFFI_PACKAGE } from '../../src/linux/ffi.js';
import { CALL_KINDS, type CallKind, type FaultPlan, HOOK_VARIABLE } from './fault-plan.js';

/**
 * Preloaded (`node --import`) into a command that is to be killed, or to see an error, at its n-th system call in a
 * folder. It stands between the command and both of its ways to the kernel, `node:fs` and the C library by koffi, in
 * every thread; threads share one count.
 */

const SHARED = 'composefs-oci torture';

function install(plan: FaultPlan): void {
  const shared = getEnvironmentData(SHARED);
  const memory = shared instanceof SharedArrayBuffer ? shared : new SharedArrayBuffer(4 * (CALL_KINDS.length + 1));
  if (isMainThread) setEnvironmentData(SHARED, memory);
  const interceptor = new Interceptor(plan, new Int32Array(memory));
  const { report } = plan;
  const { writeFileSync } = fs;
  if (isMainThread && report !== undefined) {
    process.on('exit', () => writeFileSync(report, JSON.stringify(interceptor.counts())));
  }
  hookFileSystem(interceptor);
  hookLibc(interceptor);
}

/** What to do instead of a call: nothing unusual, an error, or a part of it. */
type Verdict = 'go' | 'short' | 'end' | { readonly code: string };

class Interceptor {
  readonly #plan: FaultPlan;
  /** Calls of each kind, and last those of the kinds that the plan is about. */
  readonly #counts: Int32Array;
  readonly #readlink = fs.readlinkSync;
  readonly #kill = process.kill.bind(process);

  constructor(plan: FaultPlan, counts: Int32Array) {
    this.#plan = plan;
    this.#counts = counts;
  }

  /** Called before a system call, whose target is a path or a descriptor. */
  before(kind: CallKind, target: unknown): Verdict {
    const { kinds, n, action } = this.#plan;
    if (!this.#isInside(target)) return 'go';
    Atomics.add(this.#counts, CALL_KINDS.indexOf(kind), 1);
    if (!kinds.includes(kind)) return 'go';
    const number = Atomics.add(this.#counts, CALL_KINDS.length, 1) + 1;
    if (number !== n || action === 'count') return 'go';
    if (action !== 'kill') return action === 'short' || action === 'end' ? action : { code: action };
    this.#kill(process.pid, 'SIGKILL');
    for (;;) Atomics.wait(this.#counts, 0, Atomics.load(this.#counts, 0));
  }

  counts(): Record<string, number> {
    return Object.fromEntries(CALL_KINDS.map((kind, index) => [kind, Atomics.load(this.#counts, index)]));
  }

  #isInside(target: unknown): boolean {
    let path: string;
    try {
      if (typeof target === 'number') path = this.#readlink(`/proc/self/fd/${target}`);
      else if (typeof target === 'string') path = resolve(target);
      else if (target instanceof Uint8Array)
        path = resolve(Buffer.from(target).toString('latin1').replace(/\0.*$/s, ''));
      else return false;
      const [, fd, rest] = /^\/proc\/(?:self|thread-self|[0-9]+)\/fd\/([0-9]+)(\/.*)?$/.exec(path) ?? [];
      if (fd !== undefined) path = this.#readlink(`/proc/self/fd/${fd}`) + (rest ?? '');
    } catch {
      return false;
    }
    const { folder } = this.#plan;
    return path === folder || path.startsWith(`${folder}/`) || path.startsWith(`${folder} (deleted)`);
  }
}

/** Functions of `node:fs`, and which of their arguments says where. Others call these, or are not used. */
const FS_CALLS: readonly (readonly [name: string, kind: CallKind, argument: number])[] = [
  ['openSync', 'open', 0],
  ['readSync', 'read', 0],
  ['readvSync', 'read', 0],
  ['readFileSync', 'read', 0],
  ['writeSync', 'write', 0],
  ['writevSync', 'write', 0],
  ['writeFileSync', 'write', 0],
  ['linkSync', 'link', 1],
  ['symlinkSync', 'symlink', 1],
  ['renameSync', 'rename', 1],
  ['copyFileSync', 'write', 1],
  ['mkdirSync', 'mkdir', 0],
  ['mkdtempSync', 'mkdir', 0],
  ['unlinkSync', 'unlink', 0],
  ['rmdirSync', 'unlink', 0],
  ['rmSync', 'unlink', 0],
  ['fsyncSync', 'sync', 0],
  ['fdatasyncSync', 'sync', 0],
  ['ftruncateSync', 'truncate', 0],
  ['truncateSync', 'truncate', 0],
  ['fchmodSync', 'chmod', 0],
  ['chmodSync', 'chmod', 0],
  ['readdirSync', 'readdir', 0],
  ['opendirSync', 'readdir', 0],
  ['readlinkSync', 'readlink', 0],
  ['realpathSync', 'readlink', 0],
  ['statSync', 'stat', 0],
  ['lstatSync', 'stat', 0],
  ['fstatSync', 'stat', 0],
  ['statfsSync', 'stat', 0],
  ['accessSync', 'stat', 0],
  ['existsSync', 'stat', 0],
];

type AnyFunction = (...args: unknown[]) => unknown;

function hookFileSystem(interceptor: Interceptor): void {
  const table = fs as unknown as Record<string, AnyFunction>;
  for (const [name, kind, argument] of FS_CALLS) {
    const real = table[name];
    if (real === undefined) throw new Error(`node:fs has no ${name}`);
    table[name] = Object.assign((...args: unknown[]): unknown => {
      const verdict = interceptor.before(kind, args[argument]);
      if (verdict === 'go') return real.apply(fs, args);
      if (verdict === 'end') return name === 'readSync' || name === 'readvSync' ? 0 : real.apply(fs, args);
      if (verdict === 'short') return real.apply(fs, shortened(name, args));
      if (name === 'existsSync') return false;
      throw systemError(verdict.code, name.replace(/Sync$/, ''), args[argument]);
    }, real);
  }
  syncBuiltinESMExports();
}

/** The same call for half as many bytes, at least one. */
function shortened(name: string, args: unknown[]): unknown[] {
  const [fd, data, third, length, position] = args;
  if (name === 'writevSync' || name === 'readvSync') return Array.isArray(data) ? [fd, data.slice(0, 1), third] : args;
  if ((name !== 'readSync' && name !== 'writeSync') || !(data instanceof Uint8Array)) return args;
  // The offset may be the third argument, or an object of options with all that follows.
  const options = typeof third === 'object' && third !== null ? (third as Record<string, unknown>) : undefined;
  const offset = Number(options?.['offset'] ?? third ?? 0);
  const size = Number(options?.['length'] ?? length ?? data.byteLength - offset);
  const at = options === undefined ? position : options['position'];
  return size < 2 ? args : [fd, data, offset, size >> 1, at ?? null];
}

function systemError(code: string, syscall: string, target: unknown): Error {
  const errno = constants.errno[code as keyof typeof constants.errno];
  const path = typeof target === 'number' ? undefined : String(target);
  const message = `${code}: injected, ${syscall}${path === undefined ? '' : ` '${path}'`}`;
  return Object.assign(new Error(message), { code, errno: -errno, syscall, ...(path !== undefined && { path }) });
}

/** Functions of the C library: the kind, and which argument is the descriptor or path. */
const LIBC_CALLS: Readonly<Record<string, readonly [kind: CallKind, argument: number]>> = {
  linkat: ['link', 3],
  renameat: ['rename', 3],
  renameat2: ['rename', 3],
  symlinkat: ['symlink', 2],
  mkdirat: ['mkdir', 1],
  unlinkat: ['unlink', 1],
  openat: ['open', 1],
  readlinkat: ['readlink', 1],
  fstatat: ['stat', 1],
  faccessat: ['stat', 1],
  fchmodat: ['chmod', 1],
  syncfs: ['sync', 0],
  fsync: ['sync', 0],
  flock: ['lock', 0],
  ioctl: ['ioctl', 0],
};

/** Those that the C library has no function for, by number. */
const SYSCALLS: Readonly<Record<number, readonly [kind: CallKind, argument: number]>> = {
  // openat2
  437: ['open', 2],
};

/** Wraps what koffi binds, when it is first asked for. */
function hookLibc(interceptor: Interceptor): void {
  const loader = Module as unknown as { _load: AnyFunction };
  const load = loader._load;
  const wrapped = new WeakMap<object, object>();
  loader._load = (...args: unknown[]): unknown => {
    const loaded = load.apply(Module, args);
    if (args[0] !== KOFFI_PACKAGE || typeof loaded !== 'object' || loaded === null) return loaded;
    let koffi = wrapped.get(loaded);
    if (koffi === undefined) {
      koffi = wrapKoffi(loaded as Koffi, interceptor);
      wrapped.set(loaded, koffi);
    }
    return koffi;
  };
}

interface Koffi {
  readonly load: AnyFunction;
  readonly errno: (value?: number) => number;
}

function wrapKoffi(koffi: Koffi, interceptor: Interceptor): object {
  const load = (...names: unknown[]): unknown => {
    const library = koffi.load(...names) as { func: AnyFunction };
    const func = (name: unknown, ...types: unknown[]): unknown => {
      const real = library.func(name, ...types) as AnyFunction;
      if (name !== 'syscall' && LIBC_CALLS[String(name)] === undefined) return real;
      /** Whether the call is to fail, with `errno` set. */
      const fails = (args: readonly unknown[]): boolean => {
        const call = name === 'syscall' ? SYSCALLS[Number(args[0])] : LIBC_CALLS[String(name)];
        if (call === undefined) return false;
        const [kind, argument] = call;
        const verdict = interceptor.before(kind, placeOf(args, argument));
        if (typeof verdict !== 'object') return false;
        koffi.errno(constants.errno[verdict.code as keyof typeof constants.errno]);
        return true;
      };
      const hooked = (...args: unknown[]): unknown => (fails(args) ? -1 : real(...args));
      const async = (...args: unknown[]): void => {
        const callback = args.at(-1) as AnyFunction;
        if (fails(args.slice(0, -1))) callback(null, -1);
        else (real as unknown as { async: AnyFunction }).async(...args);
      };
      return Object.assign(hooked, { async });
    };
    return new Proxy(library, { get: (target, key) => (key === 'func' ? func : Reflect.get(target, key, target)) });
  };
  return new Proxy(koffi, { get: (target, key) => (key === 'load' ? load : Reflect.get(target, key, target)) });
}

/** A path may be relative to the descriptor before it. */
function placeOf(args: readonly unknown[], argument: number): unknown {
  const [directory, path] = [args[argument - 1], args[argument]];
  const isAbsolute = path instanceof Uint8Array && path[0] === 0x2f;
  return isAbsolute || typeof directory !== 'number' || directory < 0 ? path : directory;
}

const variable = process.env[HOOK_VARIABLE];
if (variable !== undefined) install(JSON.parse(variable) as FaultPlan);
