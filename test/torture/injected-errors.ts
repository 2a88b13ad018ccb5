import { join } from 'node:path';
import { CFSCTL } from '../support/cfsctl.js';
import { Random } from '../support/random.js';
import { Aftermath, type Undisturbed } from './aftermath.js';
import { type Command, type Ended, howItEnded, runCommand } from './command.js';
import { CALL_KINDS, type CallKind, type FaultPlan, faultEnvironment } from './fault-plan.js';
import type { Campaign, Round, Trial } from './round.js';
import { type Start, type Verb, Verbs } from './verbs.js';

export const injectedErrors: Campaign = {
  description: 'the n-th system call of a command fails, or does half of what it was to do; then others run',
  count: 300,
  time: 3600,
  run,
};

type Action = FaultPlan['action'];

/** What may happen to calls of a kind. */
const ACTIONS: Readonly<Record<CallKind, readonly Action[]>> = {
  open: ['EMFILE', 'EIO', 'EACCES'],
  read: ['EIO', 'short', 'end', 'EINTR'],
  write: ['EIO', 'ENOSPC', 'EDQUOT', 'short', 'EINTR'],
  link: ['EIO', 'ENOSPC', 'EDQUOT'],
  symlink: ['EIO', 'ENOSPC', 'EDQUOT'],
  rename: ['EIO', 'ENOSPC'],
  mkdir: ['ENOSPC', 'EDQUOT', 'EACCES'],
  unlink: ['EIO', 'EACCES', 'EROFS'],
  sync: ['EIO', 'ENOSPC', 'EDQUOT'],
  truncate: ['EIO', 'ENOSPC'],
  chmod: ['EIO', 'EROFS'],
  readdir: ['EIO', 'ENOMEM'],
  readlink: ['EIO', 'ENOMEM'],
  stat: ['EIO', 'EACCES'],
  lock: ['ENOLCK', 'EINTR'],
  ioctl: ['EIO', 'ENOMEM'],
};

/** With fewer than these open files Node itself does not come to its end; with more everything works. */
const DESCRIPTORS = [19, 50] as const;

/** A command that only reads. */
interface Reading extends Command {
  readonly name: string;
  readonly start: Start;
}

async function run(round: Round): Promise<void> {
  const verbs = await Verbs.make(round.options.folder, new Random(round.options.seed));
  const repository = join(round.options.folder, 'repository');
  const aftermath = new Aftermath(verbs, repository);
  const changing = verbs.all();
  const all = [...changing, ...readings(verbs)].filter((verb) => round.wants(verb.name));
  const isChanging = (verb: Verb | Reading): boolean => changing.some(({ name }) => name === verb.name);
  try {
    await round.trials(async (trial) => {
      const verb = all[trial.index % all.length] ?? trial.random.pick(all);
      const sequel = aftermath.chooseSequel(verb, trial.random);
      if (isChanging(verb)) await aftermath.prepare(verb, sequel);
      const undisturbed = await aftermath.undisturbed(verb);
      const before = await aftermath.begin(verb);
      const ended = await disturb(trial, verb, repository, undisturbed);
      if (isChanging(verb)) await aftermath.check(trial, verb, sequel, ended, before);
      else if (ended.status === 0 && ended.stdout !== undisturbed.stdout && ended.stderr === '') {
        trial.fail(`exit status 0 with other output: ${ended.stdout.slice(0, 200)}`);
      }
    });
  } finally {
    await verbs.close();
  }
}

function readings({ image }: Verbs): Reading[] {
  const start = 'two';
  const [diffId = ''] = image.image.diffIds;
  return [
    { name: 'oci fsck', start, args: ['oci', 'fsck'] },
    { name: 'oci layer', start, args: ['oci', 'layer', diffId] },
    { name: 'oci dump', start, args: ['oci', 'dump', 'a'] },
    { name: 'oci images', start, args: ['oci', 'images'] },
    { name: 'oci inspect', start, args: ['oci', 'inspect', 'a'] },
    { name: 'gc --dry-run', start, args: ['gc', '--dry-run'] },
  ];
}

async function disturb(trial: Trial, verb: Verb | Reading, repository: string, { calls }: Undisturbed): Promise<Ended> {
  if (trial.random.chance(0.1)) {
    const limit = trial.random.between(...DESCRIPTORS);
    trial.describe(`${verb.name}: with ${limit} descriptors`);
    const shell = ['sh', '-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, CFSCTL];
    return check(trial, await runCommand(repository, verb, { program: shell }), 'EMFILE');
  }
  const kind = trial.random.pick(CALL_KINDS.filter((each) => (calls.get(each) ?? 0) > 0));
  const count = calls.get(kind) ?? 0;
  const n = trial.random.between(1, count);
  const action = trial.random.pick(ACTIONS[kind]);
  trial.describe(`${verb.name}: ${action} at ${kind} ${n} of ${count}`);
  const env = faultEnvironment({ folder: repository, kinds: [kind], n, action });
  return check(trial, await runCommand(repository, verb, { env }), action);
}

/** A command that cannot go on ends with status 1 and says why: the error, and nothing of our insides. */
function check(trial: Trial, ended: Ended, action: Action): Ended {
  if (ended.status === 0) trial.count('survived');
  else if (ended.status === 1) trial.count('refused');
  const { status, stderr } = ended;
  if (status === 0) return ended;
  if (status !== 1) trial.fail(`it ended otherwise: ${howItEnded(ended)}`);
  else if (/TypeError|RangeError|INTERNAL|\n\s+at .*:[0-9]+/.test(stderr)) trial.fail(`bad message: ${stderr}`);
  else if (action === 'short') trial.fail(`half a read or write is no error: ${howItEnded(ended)}`);
  else if (!/\bE[A-Z]{2,}\b|os error [0-9]+|integrity check failed|end|truncated|incomplete/i.test(stderr)) {
    trial.fail(`the message does not say why: ${stderr}`);
  }
  return ended;
}
