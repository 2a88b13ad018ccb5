import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { buildImage, LayoutBuilder, type TestImage } from '../support/oci-fixtures.js';
import { findInPath } from '../support/programs.js';
import { Random } from '../support/random.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { type Ended, howItEnded, mustRun, runCommand } from './command.js';
import type { Campaign, Round } from './round.js';

export const storeRaces: Campaign = {
  description: 'imports out of a store in which podman pulls and deletes images',
  count: 1_000_000,
  time: 300,
  unavailable: () => {
    if (process.geteuid?.() !== 0) return 'stores of all users need root';
    return findInPath('podman') === undefined ? 'podman is not installed' : undefined;
  },
  mounts: true,
  run,
};

const execute = promisify(execFile);

/** Milliseconds after which podman hangs. */
const PATIENCE = 120_000;

/** Layers with files of all kinds of sizes, so that an import takes a while. */
function makeImage(seed: number): TestImage {
  const files = Array.from({ length: 300 }, (_, index) =>
    tarFile(`usr/${index}`, Buffer.alloc(50 + index * 40, `${seed} ${index} `)),
  );
  const layers = [files.slice(0, 200), [...files.slice(200), tarFile('usr/large', Buffer.alloc(9 << 20, seed))]];
  return buildImage(layers.map((each) => tarArchive([tarDirectory('usr/'), ...each])));
}

/** What an import may end with when the image goes at that moment. */
const CLEAR =
  /Could not open any containers-storage root|Failed to find image|no store has the layer|layer not found|the store has no|is not in the store|is missing/;

interface Expected {
  readonly config: string;
  readonly images: readonly string[];
}

async function run(round: Round): Promise<void> {
  // podman wants short paths, and lower case in what it makes a name of.
  const place = join(tmpdir(), `cs-races-${process.pid}`);
  mkdirSync(place);
  try {
    await new Races(round, place).run();
  } finally {
    spawnSync('umount', ['-l', join(place, 's', 'overlay')]);
    rmSync(place, { recursive: true, force: true });
  }
}

class Races {
  readonly #round: Round;
  readonly #place: string;
  readonly #sources: readonly string[];
  #expected: readonly Expected[] = [];
  #commands = 0;

  constructor(round: Round, place: string) {
    this.#round = round;
    this.#place = place;
    this.#sources = [1, 2].map((seed) => {
      const path = join(place, `layout-${seed}`);
      return `oci:${new LayoutBuilder().addImage(makeImage(seed), { tag: 'image' }).write(path)}:image`;
    });
  }

  async run(): Promise<void> {
    const repository = join(this.#place, 'expected');
    await mustRun(repository, { args: ['init', '--insecure'] });
    this.#expected = await Promise.all(
      this.#sources.map(async (source, index) =>
        resultOf(await mustRun(repository, { args: ['oci', 'pull', '--json', source, `${index}`] })),
      ),
    );
    const { seed } = this.#round.options;
    await Promise.all([
      this.#changing(new Random(seed)),
      this.#importing(new Random(seed + 1), join(this.#place, 'one')),
      this.#importing(new Random(seed + 2), join(this.#place, 'two')),
    ]);
  }

  get #isOver(): boolean {
    return this.#round.isTimeUp || this.#commands >= this.#round.options.count;
  }

  /** Pulls one image or the other under one name, and deletes it again. */
  async #changing(random: Random): Promise<void> {
    while (!this.#isOver) {
      await this.#podman('pulls', 'pull', '--quiet', random.pick(this.#sources));
      const [id = ''] = (await this.#podman('listings', 'images', '--quiet', '--no-trunc')).split('\n', 1);
      await this.#podman('tags', 'tag', id, 'localhost/app:1');
      await sleep(random.below(2000));
      await this.#podman('removals', 'rmi', '--force', '--all');
      await sleep(random.below(300));
    }
  }

  /** @returns what it prints. */
  async #podman(name: string, ...args: string[]): Promise<string> {
    const roots = ['--root', join(this.#place, 's'), '--runroot', join(this.#place, 'r')];
    this.#count(name);
    try {
      const { stdout } = await execute('podman', [...roots, '--storage-driver', 'overlay', ...args], {
        timeout: PATIENCE,
        killSignal: 'SIGKILL',
      });
      return stdout;
    } catch (error) {
      this.#round.fail(0, `podman ${args.join(' ')}`, error instanceof Error ? error.message : String(error));
      return '';
    }
  }

  async #importing(random: Random, repository: string): Promise<void> {
    const reference = `containers-storage:[overlay@${join(this.#place, 's')}+${join(this.#place, 'r')}]localhost/app:1`;
    while (!this.#isOver) {
      if (random.chance(0.5)) rmSync(repository, { recursive: true, force: true });
      if (!existsSync(repository)) await mustRun(repository, { args: ['init', '--insecure'] });
      const ended = await runCommand(repository, { args: ['oci', 'pull', '--json', reference, 'tag'] });
      this.#count('imports');
      if (ended.status === 0) {
        this.#round.count('right images');
        await this.#check(repository, resultOf(ended));
      } else if (ended.isHung || !CLEAR.test(ended.stderr)) {
        this.#round.fail(0, 'import', howItEnded(ended));
      }
    }
  }

  async #check(repository: string, found: Expected): Promise<void> {
    const isRight = this.#expected.some((each) => JSON.stringify(each) === JSON.stringify(found));
    if (!isRight) this.#round.fail(0, 'import', `another image: ${JSON.stringify(found)}`);
    const fsck = await runCommand(repository, { args: ['oci', 'fsck'] });
    if (fsck.status !== 0) this.#round.fail(0, 'fsck after an import', howItEnded(fsck));
  }

  #count(name: string): void {
    this.#commands++;
    this.#round.count(name);
  }
}

function resultOf({ stdout }: Ended): Expected {
  const { config_digest: config, images } = JSON.parse(stdout);
  return { config, images: images.map(({ id }: { id: string }) => id) };
}
