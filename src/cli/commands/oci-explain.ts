import { byteStringToText } from '../../bytes/byte-string.js';
import { type DifferenceGroup, groupDifferences, type ReadableRepository } from '../../composefs/index.js';
import {
  compareImages,
  type DigestMatch,
  describeExplanation,
  describeRule,
  findImage,
  type ImageRules,
  listRefs,
  matchDigest,
  type OciImage,
  type OwnImage,
  type RuleName,
  type TreeChanges,
  type XattrFiltering,
} from '../../index.js';
import type { Context } from '../context/context.js';
import { ExitStatus } from '../context/exit-status.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withTroubleStatus } from '../context/trouble.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { findCompared } from './compared.js';

export interface OciExplainOptions {
  readonly xattrs: XattrFiltering;
  readonly json?: boolean;
}

const DIGEST = /^(?:sha(?:256|512):)?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$/;

/**
 * Why an image does not have a digest, or is not like a directory or another image. Exit status: 0 if something explains
 * it, 1 if nothing does, 2 if it could not be found out.
 */
export async function ociExplain(
  context: Context,
  expected: string,
  name: string,
  options: OciExplainOptions,
): Promise<void> {
  await withTroubleStatus(context, async () => {
    const isExplained = await withReadableRepository(context, async (repo) => {
      const image = await findImage(repo, name);
      return DIGEST.test(expected) && !isOtherImage(repo, image, expected)
        ? await explainDigest(context, repo, image, expected, options)
        : await explainTree(context, repo, image, expected, options);
    });
    if (!isExplained) throw new ExitStatus(1);
  });
}

/** Whether a digest is that by which another stored image is known: then the two are compared. */
function isOtherImage(repo: ReadableRepository, image: OciImage, digest: string): boolean {
  const found = listRefs(repo).some(([, manifest]) => manifest === digest);
  return found && digest !== image.manifestDigest;
}

async function explainDigest(
  context: Context,
  repo: ReadableRepository,
  image: OciImage,
  digest: string,
  { json }: OciExplainOptions,
): Promise<boolean> {
  const match = await withDelayedProgress((running) => matchDigest(repo, image, digest, running));
  if (json) await context.output.json(describeMatch(match));
  else
    await context.output.lines(
      matchLines(match, { version: repo.erofsVersion, layerCount: image.layerDiffIds().length }),
    );
  return match.kind !== 'unknown';
}

async function explainTree(
  context: Context,
  repo: ReadableRepository,
  image: OciImage,
  other: string,
  { json, xattrs }: OciExplainOptions,
): Promise<boolean> {
  const first = await findCompared(repo, other);
  const second = { kind: 'image', image } as const;
  const differences = await withDelayedProgress((running) =>
    compareImages(repo, first, second, { directoriesAsImages: xattrs, ...running }),
  );
  const groups = groupDifferences(differences);
  if (json) {
    await context.output.json({ same: groups.length === 0, groups: groups.map(describeGroup) });
  } else if (groups.length === 0) {
    await context.output.line('The files are the same: if the digests differ, it is the rules (give the digest)');
  } else {
    await context.output.lines(groups.map(groupLine));
  }
  return true;
}

function* matchLines(match: DigestMatch, own: OwnImage): Generator<string> {
  switch (match.kind) {
    case 'rules':
      if (match.differing.length === 0) {
        yield 'The image has this digest, by the usual rules of the repository:';
      } else if (match.differing.length === 1) {
        yield 'The image has this digest if one rule is another:';
      } else {
        yield `The image has this digest if ${match.differing.length} rules are others:`;
      }
      for (const [name, text] of ruleTexts(match.rules)) {
        yield `${match.differing.some((each) => each === name) ? '* ' : '  '}${text}`;
      }
      for (const name of WITHOUT_OPTION.filter((each) => match.differing.includes(each))) {
        const [line, ...changes] = describeRule(name, match.rules, own, match.changes);
        yield `* ${line}`;
        yield* changes.map((change) => `  ${change}`);
      }
      return;
    case 'stored':
      yield 'The image does not have this digest by any rules, but another one that is stored:';
      yield* describeExplanation(match, own);
      return;
    case 'other':
      yield `This is ${match.what}; the image has another digest`;
      return;
    case 'unknown': {
      yield `No rules give the image this digest; ${match.tried.length} combinations were tried, nearest first:`;
      for (const { rules, digest } of match.tried) yield `  ${digest}  ${shortRules(rules)}`;
      const reasons = new Set(match.impossible.map(({ reason }) => reason));
      if (reasons.size > 0) yield 'Not possible:';
      for (const reason of reasons) {
        const rules = match.impossible.filter((each) => each.reason === reason).map((each) => shortRules(each.rules));
        yield `  ${reason} (${rules.length === 1 ? rules[0] : `${rules.length} combinations, as ${rules[0]}`})`;
      }
      yield 'So the layers or their order are others: compare with the image or directory that has it (oci explain PATH IMAGE)';
    }
  }
}

/** Rules that no option of a command changes. */
const WITHOUT_OPTION: readonly RuleName[] = ['labels', 'mtimes', 'missingLayers'];

function ruleTexts(rules: ImageRules): [keyof ImageRules, string][] {
  return [
    ['format', `format V${rules.format} (--erofs-version ${rules.format})`],
    ['kind', rules.kind === 'boot' ? 'a boot image (--bootable)' : 'a plain image'],
    [
      'xattrs',
      rules.xattrs === 'all' ? 'the tree of the layers as it is, with all xattrs' : `--xattrs ${rules.xattrs}`,
    ],
    ['layerRules', `--layer-rules ${rules.layerRules}`],
    ['algorithm', `digests of ${rules.algorithm}`],
  ];
}

function shortRules({ format, kind, xattrs, layerRules, labels, mtimes, missingLayers }: ImageRules): string {
  const more = [
    labels === 'none' ? ', no labels' : '',
    mtimes === 'standard' ? '' : `, mtimes ${mtimes}`,
    missingLayers === 0 ? '' : `, without the last ${missingLayers} layer${missingLayers === 1 ? '' : 's'}`,
  ];
  return `V${format}, ${kind}, xattrs ${xattrs}, layer rules ${layerRules}${more.join('')}`;
}

function groupLine({ what, count, examples }: DifferenceGroup): string {
  const isItself = what.startsWith('added ') || what.startsWith('removed ');
  if (isItself) return count === 1 ? what : `${what} (${count} entries)`;
  const paths = examples.map(byteStringToText).join(', ');
  return `${what}: ${count === 1 ? paths : `${count} entries: ${paths}${count > examples.length ? ', …' : ''}`}`;
}

function describeGroup({ what, count, examples }: DifferenceGroup): object {
  return { what, count, examples: examples.map(byteStringToText) };
}

function describeMatch(match: DigestMatch): object {
  switch (match.kind) {
    case 'rules':
      return {
        kind: match.kind,
        rules: describeRules(match.rules),
        differing: match.differing.map(snakeCase),
        ...(match.changes && describeChanges(match.changes)),
      };
    case 'stored':
      return { kind: match.kind, format: match.format, ...describeChanges(match.changes) };
    case 'other':
      return match;
    case 'unknown':
      return {
        kind: match.kind,
        tried: match.tried.map(({ rules, digest }) => ({ digest, ...describeRules(rules) })),
        impossible: match.impossible.map(({ rules, reason }) => ({ reason, ...describeRules(rules) })),
      };
  }
}

function describeRules({ layerRules, missingLayers, ...rules }: ImageRules): object {
  return { ...rules, layer_rules: layerRules, missing_layers: missingLayers };
}

function describeChanges({ changes, changeCount }: TreeChanges): object {
  return { changes, change_count: changeCount };
}

function snakeCase(name: RuleName): string {
  if (name === 'missingLayers') return 'missing_layers';
  return name === 'layerRules' ? 'layer_rules' : name;
}
