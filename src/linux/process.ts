import { readFileSync } from 'node:fs';
import { checkCall } from './errno.js';
import { libcFunction } from './ffi.js';

/** Numbers of linux/capability.h. */
const CAPABILITIES = { CAP_DAC_OVERRIDE: 1, CAP_DAC_READ_SEARCH: 2, CAP_SYS_ADMIN: 21 } as const;

const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

const capget = libcFunction<[header: Buffer, data: Buffer], number>('capget', 'int', ['void *', 'void *']);

/**
 * Whether the calling thread has the capability in its effective set (`capget(2)`).
 *
 * @throws SystemError
 */
export function hasCapability(name: keyof typeof CAPABILITIES): boolean {
  const header = Buffer.alloc(8); // version u32, pid s32: 0 is the calling thread
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  const data = Buffer.alloc(24); // twice effective, permitted, inheritable: u32 each; the low halves first
  checkCall(capget(header, data), 'capget', name);
  return ((data.readUInt32LE(0) >>> CAPABILITIES[name]) & 1) === 1;
}

const exitCall = libcFunction<[status: number], void>('_exit', 'void', ['int']);

/**
 * Ends the process at once (`_exit(2)`). `process.exit` waits for its worker threads, and so for ever for one that is
 * blocked in a system call.
 */
export function exitNow(status: number): void {
  exitCall(status);
}

let limit: number | undefined;

/** How many files the process might have open when this was asked first. */
export function descriptorLimit(): number {
  limit ??= readDescriptorLimit();
  return limit;
}

function readDescriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    return Number(/^Max open files +([0-9]+)/m.exec(limits)?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}
