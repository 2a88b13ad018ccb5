import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestImage } from './oci-fixtures.js';
import { findInPath } from './programs.js';

/** A stand-in for `skopeo experimental-image-proxy` that does what a test wants. */

/** For `skip` of tests. Node.js itself cannot send descriptors. */
export const withoutPython: string | false = findInPath('python3') === undefined ? 'python3 is not installed' : false;

/** What is done when a method is called. */
export interface Step {
  readonly value?: unknown;
  readonly error?: string;
  /** Base64: goes through a pipe. */
  readonly data?: string;
  /** For a blob: what FinishPipe says of it, or what comes in the second pipe of GetRawBlob. */
  readonly verdict?: string;
  /** Instead of a reply. */
  readonly raw?: string;
  /** More descriptors than belong to the reply. */
  readonly extraFds?: number;
  readonly pipeid?: number;
  readonly hang?: boolean;
  /** Words on standard error before it exits with status 3. */
  readonly exit?: string;
}

export interface Plan {
  readonly ignoreSigterm?: boolean;
  /** By the method's name, for blobs `GetBlob DIGEST`. Later calls of a method repeat the step. */
  readonly steps: Readonly<Record<string, Step>>;
}

const SCRIPT = `
import base64, json, os, signal, socket, sys, threading, time
directory = os.path.dirname(os.path.abspath(__file__))
plan = json.load(open(os.path.join(directory, 'plan.json')))
log = open(os.path.join(directory, 'log'), 'a')
open(os.path.join(directory, 'pid'), 'w').write(str(os.getpid()))
if plan.get('ignoreSigterm'): signal.signal(signal.SIGTERM, signal.SIG_IGN)
sock = socket.socket(fileno=0)
pipes = {}

def write(fd, data, close):
    try:
        while data: data = data[os.write(fd, data):]
    except BrokenPipeError: pass
    if close: os.close(fd)

def start(fd, data, close):
    thread = threading.Thread(target=write, args=(fd, data, close), daemon=True)
    thread.start()
    return thread

def reply(step, fds=[], pipeid=0):
    for _ in range(step.get('extraFds', 0)): fds = fds + [os.open('/dev/null', os.O_RDONLY)]
    body = {'success': 'error' not in step, 'value': step.get('value'), 'error': step.get('error', ''),
            'pipeid': step.get('pipeid', pipeid)}
    message = step['raw'] if 'raw' in step else json.dumps(body)
    socket.send_fds(sock, [message.encode()], fds)
    for fd in fds: os.close(fd)

while True:
    packet = sock.recv(65536)
    if not packet: break
    request = json.loads(packet)
    method, args = request['method'], request['args']
    blob = method + ' ' + args[1] if method in ('GetBlob', 'GetRawBlob') else method
    log.write(blob + '\\n'); log.flush()
    if method == 'FinishPipe' and args[0] in pipes:
        end, thread, verdict = pipes.pop(args[0])
        thread.join()
        os.close(end)
        reply({'error': verdict} if verdict else {})
        continue
    step = plan['steps'].get(blob, {'error': 'unknown method: ' + blob})
    if step.get('hang'): time.sleep(60)
    if 'exit' in step:
        sys.stderr.write(step['exit']); sys.stderr.flush(); os._exit(3)
    if 'data' not in step:
        reply(step)
        continue
    data = base64.b64decode(step['data'])
    ours, theirs = os.pipe()
    if method == 'GetRawBlob':
        errors, words = os.pipe()
        start(theirs, data, True)
        start(words, step.get('verdict', '').encode(), True)
        reply(step, [ours, errors])
    else:
        pipes[theirs] = (theirs, start(theirs, data, False), step.get('verdict'))
        reply(step, [ours], theirs)
`;

export interface FakeProxy {
  /** In place of `skopeo`. */
  readonly program: readonly string[];
  /** What it was asked, in order. */
  readonly log: () => string[];
  readonly pid: () => number;
}

export function fakeProxy(directory: string, plan: Plan): FakeProxy {
  const script = join(directory, 'proxy.py');
  writeFileSync(script, SCRIPT);
  writeFileSync(join(directory, 'plan.json'), JSON.stringify(plan));
  writeFileSync(join(directory, 'log'), '');
  return {
    program: ['python3', script],
    log: () => readFileSync(join(directory, 'log'), 'utf8').split('\n').slice(0, -1),
    pid: () => Number(readFileSync(join(directory, 'pid'), 'utf8')),
  };
}

/** The steps of a proxy that serves an image as it should. */
export function imageSteps(image: TestImage, version: string = '0.2.8'): Record<string, Step> {
  const manifest = { value: image.manifest.descriptor.digest, data: image.manifest.bytes.toString('base64') };
  const blobs = [image.config, ...image.layers].flatMap(({ descriptor: { digest, size }, bytes }) => {
    const step = { value: size, data: bytes.toString('base64') };
    return [`GetBlob ${digest}`, `GetRawBlob ${digest}`].map((key) => [key, step] as const);
  });
  return {
    Initialize: { value: version },
    OpenImage: { value: 1 },
    GetManifest: manifest,
    ...Object.fromEntries(blobs),
  };
}
