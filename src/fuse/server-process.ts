import { exitNow } from '../linux/process.js';
import { packError } from '../threads/error-transfer.js';
import { type AttachedMount, detach } from './fuse-mount.js';
import { serveDevice } from './fuse-service.js';
import { loadImage } from './image-source.js';
import { DEVICE_FD, type FromServer, IMAGE_FD, OBJECTS_FD, type ToServer } from './server-protocol.js';

/**
 * The process that serves a mount in the background: started by `mountFuse`, it ends with the mount.
 *
 * SIGTERM and SIGINT unmount: nobody new gets in, and who uses the mount keeps it to the end. A second one ends the
 * process at once; the mount is gone for its users then.
 */
let mount: AttachedMount | undefined;
let isStopping = false;

process.on('message', (message: ToServer) => {
  if (message.type === 'serve') {
    serve(message);
  } else {
    mount = message.mount;
    process.disconnect();
    if (isStopping) unmount();
  }
});
// Whoever wanted the mount is gone before it was there.
process.on('disconnect', () => {
  if (mount === undefined) exitNow(1);
});
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

function serve(options: Extract<ToServer, { type: 'serve' }>): void {
  process.title = `composefs-fuse ${options.name}`;
  let ended: Promise<void>;
  try {
    const image = loadImage({ imageFd: IMAGE_FD, expected: options.expected });
    ended = serveDevice(DEVICE_FD, { ...options, image, objectsFd: OBJECTS_FD });
  } catch (error) {
    send({ type: 'failed', error: packError(error) }, () => exitNow(1));
    return;
  }
  send({ type: 'serving' });
  ended.then(
    () => exitNow(0),
    () => {
      // A thread has failed: rather no mount than one that hangs.
      unmount();
      exitNow(1);
    },
  );
}

function send(message: FromServer, then: () => void = () => undefined): void {
  process.send?.(message, then);
}

function stop(): void {
  if (isStopping) exitNow(1);
  isStopping = true;
  unmount();
}

function unmount(): void {
  if (mount === undefined) return;
  try {
    detach(mount);
  } catch {
    // Without this process its users get ENOTCONN, and umount(8) or `cfsctl umount` clears what is left.
    exitNow(1);
  }
}
