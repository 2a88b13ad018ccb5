import { closeSync, readFileSync, readSync, statSync } from 'node:fs';
import { isErrno, withFd } from '../../fs/files.js';
import { REQUEST_HEADER_SIZE } from '../../fuse/wire/header.js';
import { decodeInit } from '../../fuse/wire/init.js';
import { findProgram } from '../../linux/find-program.js';
import { openFuseDevice } from '../../linux/fuse-device.js';
import { fsconfigCreate, fsconfigString, fsmount, fsopen } from '../../linux/mount-api.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { fileSystemSupport, reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';

/** FUSE_PASSTHROUGH, bit 37 of the flags of INIT, in their upper half (linux/fuse.h). */
const PASSTHROUGH = 1 << 5;
/** FUSE_MIN_READ_BUFFER. */
const BUFFER_SIZE = 8192;

/** Mounts as a server does, attached nowhere, and looks at what the kernel offers. */
export const fuse: Probe = {
  check: 'fuse',
  title: 'FUSE',
  needsSystemCalls: true,
  run() {
    if (fileSystemSupport('fuse') === 'absent') {
      return missing('the kernel does not have it', 'a kernel with CONFIG_FUSE_FS');
    }
    let device: number;
    try {
      device = openFuseDevice();
    } catch (error) {
      return withoutDevice(error);
    }
    try {
      return mountWith(device);
    } catch {
      return throughProgram('/dev/fuse can be opened');
    } finally {
      closeSync(device);
    }
  },
};

function mountWith(device: number): Outcome {
  return withFd(fsopen('fuse'), (context) => {
    const options = { source: 'composefs-doctor', rootmode: '040555', user_id: '0', group_id: '0', fd: String(device) };
    for (const [key, value] of Object.entries(options)) fsconfigString(context, key, value);
    fsconfigCreate(context);
    return withFd(fsmount(context, 0), () => {
      const request = Buffer.alloc(BUFFER_SIZE);
      const size = readSync(device, request);
      const { major, minor, flags2 } = decodeInit(request.subarray(REQUEST_HEADER_SIZE, size));
      const detail = `the kernel mounts it, protocol ${major}.${minor}`;
      if ((flags2 & PASSTHROUGH) !== 0) return ok(`${detail}, passthrough`);
      return limited(`${detail}, no passthrough: the server copies what is read`, 'Linux 6.9 or newer');
    });
  });
}

/** fusermount3 opens the device as the user that runs it: what the user may not open, it may not. */
function withoutDevice(error: unknown): Outcome {
  if (isErrno(error, 'EACCES', 'EPERM')) {
    const through = throughProgram('');
    const rest = through.state === 'ok' ? '' : `, and ${through.remedy}`;
    return missing(`${reasonOf(error)}, which fusermount3 needs as well`, `as root: chmod 666 /dev/fuse${rest}`);
  }
  return missing(reasonOf(error), 'as root: modprobe fuse && chmod 666 /dev/fuse');
}

/** It has to be root's, with a set-user-id bit that counts, and this user has to be allowed to run it. */
function throughProgram(what: string): Outcome {
  const own = process.env['FUSERMOUNT_PATH'];
  const path = own === undefined ? (findProgram('fusermount3') ?? findProgram('fusermount')) : findProgram(own);
  if (path === undefined) return missing(`${what}; mounting needs fusermount3`, 'install the package fuse3');
  const { uid, mode } = statSync(path);
  if (uid !== 0 || (mode & 0o4000) === 0) {
    return missing(`${what}; ${path} may not mount`, `as root: chown root ${path} && chmod u+s ${path}`);
  }
  if (hasNoNewPrivileges()) {
    const remedy = 'run it without no_new_privs: not in such a container or service';
    return missing(`${what}; ${path} may not mount: set-user-id bits do not count for this process`, remedy);
  }
  return ok(`${what}; ${path} mounts, ${forWhom()}`);
}

const FUSE_CONF = '/etc/fuse.conf';

function forWhom(): string {
  if (process.geteuid?.() === 0 || hasAllowOther(readConf())) return 'also for other users';
  return `for this user only: ${FUSE_CONF} has no user_allow_other`;
}

/** Whether fuse.conf lets ordinary users mount with `allow_other` (`allowOther` of the library), see fusermount3(1). */
export function hasAllowOther(conf: string): boolean {
  return /^[ \t]*user_allow_other[ \t]*$/m.test(conf);
}

/** It may be missing. */
function readConf(): string {
  try {
    return readFileSync(FUSE_CONF, 'latin1');
  } catch {
    return '';
  }
}

function hasNoNewPrivileges(): boolean {
  try {
    return /^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'latin1'));
  } catch {
    return false;
  }
}
