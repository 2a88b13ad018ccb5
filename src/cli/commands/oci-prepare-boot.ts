import { dirname } from 'node:path';
import { removeUnneededBootEntries } from '../../boot/index.js';
import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { fileSize, type ObjectSource, type Repository, readFile } from '../../composefs/index.js';
import { findImageOfConfig, type LayerRules, type OciImage, type PreparedBoot, prepareBoot } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import type { GlobalOptions } from '../context/options.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { checkReference, findConfigOf } from './oci-reference.js';
import { notBootable } from './repair-hint.js';

export interface OciPrepareBootOptions {
  readonly bootdir: string;
  readonly entryId?: string;
  readonly cmdline?: readonly string[];
  readonly addons?: boolean;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly json?: boolean;
  readonly layerRules?: LayerRules;
}

/** Prints nothing, as the reference, unless something is asked for that it does not know. */
export async function ociPrepareBoot(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciPrepareBootOptions,
): Promise<void> {
  checkReference('<CONFIG_NAME>', name);
  await withRepository(context, async (repo) => {
    const { bootdir: bootPartition, dryRun = false, prune = false, json = false, ...rest } = options;
    const { image, isTrusted } = await openImage(repo, name, configVerity);
    const prepared = await withDelayedProgress((running) =>
      prepareBoot(repo, image, {
        ...rest,
        bootPartition,
        stateRoot: stateRoot(context.globals),
        dryRun,
        verifyLayers: !isTrusted,
        ...running,
      }),
    ).catch(notBootable(name));
    const pruned = prune ? removeUnneededBootEntries(repo, bootPartition, { dryRun }) : [];
    if (json) await context.output.json({ ...jsonResult(prepared), removed: pruned.map(({ entry }) => text(entry)) });
    else if (dryRun) await context.output.lines(renderPlan(repo.objects, bootPartition, prepared));
    if (!json && prune)
      await context.output.lines(pruned.map(({ entry }) => `remove   ${bootPartition}/${text(entry)}`));
  });
}

/** Where the state of images is: beside a repository that is named by its path, else in the physical root of the machine. */
function stateRoot(globals: GlobalOptions): string {
  const isNamed = globals.user !== true && globals.system !== true;
  const path = globals.repo ?? (isNamed ? process.env['COMPOSEFS_REPO'] : undefined);
  return path === undefined || path === '' ? '/sysroot' : dirname(path);
}

/** A config that is named by its digest alone is trusted only if its verity is given. */
async function openImage(
  repo: Repository,
  name: string,
  configVerity: string | undefined,
): Promise<{ image: OciImage; isTrusted: boolean }> {
  const { digest, configVerity: verity, image } = await findConfigOf(repo, name, configVerity);
  return {
    image: image ?? (await findImageOfConfig(repo, digest, { configVerity: verity })),
    isTrusted: verity !== undefined,
  };
}

function jsonResult({ image, argument, plan, written, stateDirectories }: PreparedBoot): Record<string, unknown> {
  return {
    image,
    argument,
    entry: text(plan.entry.path),
    files: plan.files.map(({ path }) => text(path)),
    written: written?.written.map(text) ?? [],
    state_directories: stateDirectories,
  };
}

function renderPlan(
  objects: ObjectSource,
  bootPartition: string,
  { argument, plan, stateDirectories }: PreparedBoot,
): string[] {
  const { files, entry } = plan;
  const isText = text(entry.path).endsWith('.conf');
  const lines = isText ? readFile(entry.content, objects).toString().trimEnd().split('\n') : [];
  return [
    `argument ${argument}`,
    ...stateDirectories.map((directory) => `make     ${directory}`),
    ...[...files, entry].map(({ path, content }) => {
      return `write    ${bootPartition}/${text(path)} (${fileSize(content)} bytes)`;
    }),
    ...lines.map((line) => `         ${line}`),
  ];
}

function text(path: ByteString): string {
  return byteStringToText(path);
}
