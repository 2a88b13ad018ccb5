import { dirname } from 'node:path';
import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { parseObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/index.js';
import { fileSize } from '../../composefs/tree/inode.js';
import { type ObjectSource, readFile } from '../../composefs/tree/read-file.js';
import { ComposefsError, withContext } from '../../errors.js';
import { type PreparedBoot, prepareBoot } from '../../oci/boot/prepare-boot.js';
import type { LayerRules } from '../../oci/layer/layer-rules.js';
import { openConfig } from '../../oci/store/config-stream.js';
import { configIdentifier } from '../../oci/store/identifiers.js';
import { OciImage } from '../../oci/store/image.js';
import { manifestsOfConfig } from '../../oci/store/stored-manifests.js';
import type { Context } from '../context/context.js';
import { withInterrupt } from '../context/interrupt.js';
import { withRepository } from '../context/open-repository.js';
import type { GlobalOptions } from '../context/options.js';
import { warningReporter } from '../terminal/warning.js';
import { pruneBootEntries } from './boot-prune.js';
import { type OciReference, parseOciReference } from './oci-reference.js';

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
  const reference = parseOciReference('<CONFIG_NAME>', name);
  await withRepository(context, async (repo) => {
    const { bootdir: bootPartition, dryRun = false, prune = false, json = false, ...rest } = options;
    const { image, isTrusted } = openImage(repo, reference, configVerity);
    const prepared = await withInterrupt((signal) =>
      prepareBoot(repo, image, {
        ...rest,
        bootPartition,
        stateRoot: stateRoot(context.globals),
        dryRun,
        verifyLayers: !isTrusted,
        signal,
        progress: warningReporter,
      }),
    );
    const pruned = prune ? pruneBootEntries(repo, bootPartition, dryRun) : [];
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
function openImage(
  repo: Repository,
  reference: OciReference,
  configVerity: string | undefined,
): { image: OciImage; isTrusted: boolean } {
  if (reference.kind === 'tag') return { image: OciImage.openRef(repo, reference.tag), isTrusted: true };
  const { digest } = reference;
  const verity = configVerity === undefined ? undefined : parseObjectId(repo.algorithm, configVerity);
  const now = repo.hasStream(configIdentifier(digest));
  const hint = `the stream of the config is ${now} now: it is another one whenever images are linked from it`;
  withContext(
    `Opening the config ${digest}`,
    () => openConfig(repo, digest, { configVerity: verity }),
    verity === now ? {} : { ENOENT: hint },
  );
  for (const manifest of manifestsOfConfig(repo, digest)) {
    return { image: OciImage.open(repo, manifest.digest), isTrusted: verity !== undefined };
  }
  throw new ComposefsError('OCI_IMAGE_NOT_FOUND', `no stored image has the config ${digest}`);
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
