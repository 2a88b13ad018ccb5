import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { referenceCfsctl } from '../support/programs.js';
import { Random } from '../support/random.js';
import { type Command, howItEnded, runCommand } from './command.js';
import type { Layout } from './layouts.js';
import { snapshot, strays } from './repository-state.js';
import type { Campaign, Round } from './round.js';
import { findings, taggedImageFindings } from './soundness.js';
import { copyRepository, Verbs } from './verbs.js';

export const concurrency: Campaign = {
  description: 'many commands at once on one repository, those of the reference among them',
  count: 1_000_000,
  time: 1800,
  run,
};

/** Runs commands of its own kind, one after another, for as long as the campaign lasts. */
type Actor = (random: Random) => Promise<void>;

async function run(round: Round): Promise<void> {
  const { folder, seed, count } = round.options;
  const verbs = await Verbs.make(folder, new Random(seed));
  const repository = join(folder, 'repository');
  try {
    copyRepository(await verbs.start('two'), repository);
    const company = new Company(round, verbs, repository);
    const trial = { started: 0 };
    const loops = company.actors().map(async ([name, actor], index) => {
      const random = new Random(seed * 31 + index);
      while (!round.isTimeUp && trial.started < count) {
        trial.started++;
        round.count(name);
        await actor(random);
      }
    });
    await Promise.all(loops);
    await company.finish();
  } finally {
    await verbs.close();
  }
}

class Company {
  readonly #round: Round;
  readonly #verbs: Verbs;
  readonly #repository: string;

  constructor(round: Round, verbs: Verbs, repository: string) {
    this.#round = round;
    this.#verbs = verbs;
    this.#repository = repository;
  }

  actors(): [name: string, actor: Actor][] {
    const reference = referenceCfsctl();
    const others: [string, Actor][] =
      reference === undefined
        ? []
        : [
            ['pulls of the reference', this.#pulling('reference-1', [reference])],
            ['pulls of the reference', this.#pulling('reference-2', [reference])],
            ['gcs of the reference', this.#repeating({ args: ['gc'] }, 1500, [reference])],
          ];
    return [
      ['pulls', this.#pulling('ours-1')],
      ['pulls', this.#pulling('ours-2')],
      ['pulls', this.#pulling('ours-3')],
      ['gcs', this.#repeating({ args: ['gc'] }, 1000)],
      ['tags', this.#tagging()],
      ['layers', this.#repeating(this.#verbs.importLayer('layer'), 200)],
      ['images made', this.#repeating({ args: ['create-image', this.#verbs.tree, 'made'] }, 200)],
      ['fscks', this.#repeating({ args: ['oci', 'fsck'] }, 300)],
      ['listings', this.#repeating({ args: ['oci', 'images'] }, 100)],
      ...others,
    ];
  }

  /** When all have ended: nothing is left that has no owner, and both implementations find the repository sound. */
  async finish(): Promise<void> {
    await this.#run('gc at the end', { args: ['gc'] });
    const found = [...(await findings(this.#repository)), ...strays(snapshot(this.#repository))];
    for (const finding of found.slice(0, 5)) this.#fail('at the end', finding);
  }

  /** Pulls an image, reads it back, and lets it go again. */
  #pulling(tag: string, program?: readonly string[]): Actor {
    return async (random) => {
      const layout = random.pick([this.#verbs.image, this.#verbs.other, this.#verbs.plain]);
      await this.#run(`pull as ${tag}`, pullOf(layout, tag, program !== undefined), program);
      const wrong = (await taggedImageFindings(this.#repository)).find((finding) => finding.includes(tag));
      if (wrong !== undefined) this.#fail(`after the pull of ${tag}`, wrong);
      await sleep(random.below(200));
      if (random.chance(0.7)) await this.#run(`untag ${tag}`, { args: ['oci', 'untag', tag] }, program);
    };
  }

  /** A tag of its own, moved between images that stay. */
  #tagging(): Actor {
    const { image, other } = this.#verbs;
    const digests = [image, other].map((layout) => layout.image.manifest.descriptor.digest);
    return async (random) => {
      await this.#run('tag', { args: ['oci', 'tag', random.pick(digests), 'moving'] });
      if (random.chance(0.3)) await this.#run('untag', { args: ['oci', 'untag', 'moving'] });
      await sleep(random.below(200));
    };
  }

  #repeating(command: Command, pause: number, program?: readonly string[]): Actor {
    return async (random) => {
      const name = `${program === undefined ? '' : 'reference: '}${command.args.slice(0, 2).join(' ')}`;
      const { milliseconds } = await this.#run(name, command, program);
      if (command.args[0] === 'gc') this.#round.peak('s the longest gc', Math.round(milliseconds / 1000));
      await sleep(random.below(pause));
    };
  }

  async #run(name: string, command: Command, program?: readonly string[]): ReturnType<typeof runCommand> {
    const ended = await runCommand(this.#repository, command, program === undefined ? {} : { program });
    this.#round.count('commands');
    if (ended.status !== 0) this.#fail(name, howItEnded(ended));
    return ended;
  }

  #fail(what: string, reason: string): void {
    this.#round.fail(0, what, reason);
  }
}

function pullOf({ reference }: Layout, tag: string, isReference: boolean): Command {
  return { args: ['oci', 'pull', ...(isReference ? [] : ['--quiet']), reference, tag] };
}
