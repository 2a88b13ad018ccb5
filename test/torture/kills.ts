import { join } from 'node:path';
import { Random } from '../support/random.js';
import { Aftermath, type Undisturbed } from './aftermath.js';
import { type Ended, howItEnded, runCommand } from './command.js';
import { CHANGES, faultEnvironment } from './fault-plan.js';
import type { Campaign, Round, Trial } from './round.js';
import { type Verb, Verbs } from './verbs.js';

export const kills: Campaign = {
  description: 'commands are killed at random moments; then others run',
  count: 500,
  time: 3600,
  run,
};

async function run(round: Round): Promise<void> {
  const verbs = await Verbs.make(round.options.folder, new Random(round.options.seed));
  const repository = join(round.options.folder, 'repository');
  const aftermath = new Aftermath(verbs, repository);
  const all = verbs.all().filter((verb) => round.wants(verb.name));
  try {
    await round.trials(async (trial) => {
      const verb = all[trial.index % all.length] ?? trial.random.pick(all);
      const sequel = aftermath.chooseSequel(verb, trial.random);
      await aftermath.prepare(verb, sequel);
      const before = await aftermath.begin(verb);
      const ended = await kill(trial, verb, repository, await aftermath.undisturbed(verb));
      trial.count(ended.signal === 'SIGKILL' ? 'killed' : 'ended before');
      if (ended.signal === null && ended.status !== 0) trial.fail(howItEnded(ended));
      await aftermath.check(trial, verb, sequel, ended, before);
    });
  } finally {
    await verbs.close();
  }
}

/** At one of its changes, chosen by number, or at any moment, by time. */
function kill(trial: Trial, verb: Verb, repository: string, { calls, milliseconds }: Undisturbed): Promise<Ended> {
  const { random } = trial;
  if (random.chance(0.6)) {
    const changes = CHANGES.reduce((sum, kind) => sum + (calls.get(kind) ?? 0), 0);
    const n = random.between(1, changes);
    trial.describe(`${verb.name} killed at change ${n} of ${changes}`);
    return runCommand(repository, verb, {
      env: faultEnvironment({ folder: repository, kinds: CHANGES, n, action: 'kill' }),
    });
  }
  const killAfter = Math.round(milliseconds * (0.15 + random.below(900) / 1000));
  trial.describe(`${verb.name} killed after ${killAfter} of ${Math.round(milliseconds)} ms`);
  return runCommand(repository, verb, { killAfter });
}
