import { type ByteString, compareBytes } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns, type Steps, Turns } from '../../threads/turns.js';
import { ASPECTS, type Aspect, statDifferences } from './aspects.js';
import type { ComparableTree, TreeEntry } from './comparable-tree.js';
import { contentDigest, haveSameContent } from './content-digest.js';
import type { Difference, EntryState } from './difference.js';
import { pairRenames } from './pair-renames.js';
import { SameLinks } from './same-links.js';

/** What counts as a difference of two trees. */
export interface CompareOptions {
  /** What may differ. */
  readonly ignore?: Iterable<Aspect> | undefined;
  /** Whether a file that was removed in one place and added in another is found to be the same. Default true. */
  readonly renames?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How the second tree differs from the first, in the order of the paths: a directory, then what is in it. Contents are
 * compared by their digests; those of files on disk are read where size and type do not tell.
 *
 * @throws ComposefsError `ALGORITHM_MISMATCH` if the trees name contents by different kinds of digests; what the trees throw
 */
export async function compareTrees<A extends TreeEntry, B extends TreeEntry>(
  first: ComparableTree<A>,
  second: ComparableTree<B>,
  options: CompareOptions = {},
): Promise<Difference[]> {
  if (first.algorithm !== second.algorithm) {
    const message = `trees with digests of ${first.algorithm} and of ${second.algorithm} cannot be compared`;
    throw new ComposefsError('ALGORITHM_MISMATCH', message);
  }
  const comparison = new Comparison(first, second, options);
  await runInTurns(comparison.walk(), options.signal);
  await comparison.compareUnread();
  return await comparison.differences();
}

/** A directory at work: its entries in the first tree and in the second, either of which may lack it. */
interface Frame<A, B> {
  readonly path: ByteString;
  readonly first: readonly (readonly [ByteString, A])[];
  readonly second: readonly (readonly [ByteString, B])[];
  firstNext: number;
  secondNext: number;
}

/** What may be a difference. */
interface Draft<A, B> {
  readonly path: ByteString;
  readonly first?: A;
  readonly second?: B;
  readonly aspects: Aspect[];
}

class Comparison<A extends TreeEntry, B extends TreeEntry> {
  readonly #first: ComparableTree<A>;
  readonly #second: ComparableTree<B>;
  readonly #ignored: ReadonlySet<Aspect>;
  readonly #findsRenames: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #turns: Turns;
  readonly #links = new SameLinks();
  readonly #stack: Frame<A, B>[] = [];
  /** In the order of the paths. */
  readonly #drafts: Draft<A, B>[] = [];
  /** Drafts of files of equal size whose contents are not known yet. */
  readonly #unread = new Set<Draft<A, B>>();

  constructor(first: ComparableTree<A>, second: ComparableTree<B>, options: CompareOptions) {
    this.#first = first;
    this.#second = second;
    this.#ignored = new Set(options.ignore);
    this.#findsRenames = options.renames ?? true;
    this.#signal = options.signal;
    this.#turns = new Turns(options.signal);
  }

  *walk(): Steps<void> {
    yield* this.#meet('/' as ByteString, this.#first.root, this.#second.root);
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      yield;
      if (!(yield* this.#step(frame))) this.#stack.pop();
    }
  }

  /** Compares the contents that have to be read for it. */
  async compareUnread(): Promise<void> {
    await this.#read([...this.#unread]);
    for (const draft of this.#unread) {
      if (this.#turns.isOver()) await this.#turns.next();
      const { first, second, aspects } = draft;
      if (first === undefined || second === undefined) continue;
      if (this.#isSameContent(first, second) === false) aspects.push('content');
    }
  }

  async differences(): Promise<Difference[]> {
    const drafts: Draft<A, B>[] = [];
    for (const draft of this.#drafts) {
      if (this.#turns.isOver()) await this.#turns.next();
      if (draft.first === undefined || draft.second === undefined || draft.aspects.length > 0) drafts.push(draft);
    }
    const renames = this.#findsRenames ? await this.#renames(drafts) : new Map<Draft<A, B>, Draft<A, B>>();
    const moved = new Set(renames.values());
    const differences: Difference[] = [];
    for (const draft of drafts) {
      if (this.#turns.isOver()) await this.#turns.next();
      if (!moved.has(draft)) differences.push(this.#difference(draft, renames.get(draft)));
    }
    return differences;
  }

  /** Takes the next name of a directory. False if there is none. */
  *#step(frame: Frame<A, B>): Steps<boolean> {
    const first = frame.first[frame.firstNext];
    const second = frame.second[frame.secondNext];
    if (first === undefined && second === undefined) return false;
    const order = first === undefined ? 1 : second === undefined ? -1 : compareBytes(first[0], second[0]);
    const name = order <= 0 ? first?.[0] : second?.[0];
    const path = `${frame.path === '/' ? '' : frame.path}/${name}` as ByteString;
    if (order <= 0) frame.firstNext += 1;
    if (order >= 0) frame.secondNext += 1;
    if (order === 0 && first !== undefined && second !== undefined) yield* this.#meet(path, first[1], second[1]);
    else if (order < 0 && first !== undefined) yield* this.#add({ path, first: first[1], aspects: [] });
    else if (second !== undefined) yield* this.#add({ path, second: second[1], aspects: [] });
    return true;
  }

  /** Something at the same path in both trees. */
  *#meet(path: ByteString, first: A, second: B): Steps<void> {
    const aspects = this.#compare(path, first, second).filter((aspect) => !this.#ignored.has(aspect));
    const isUnread = this.#isUnread(first, second);
    if (aspects.length > 0 || isUnread) {
      const draft = { path, first, second, aspects };
      this.#drafts.push(draft);
      if (isUnread) this.#unread.add(draft);
    }
    yield* this.#enter(path, first, second);
  }

  /** Something that only one tree has. */
  *#add(draft: Draft<A, B>): Steps<void> {
    this.#drafts.push(draft);
    yield* this.#enter(draft.path, draft.first, draft.second);
  }

  *#enter(path: ByteString, first: A | undefined, second: B | undefined): Steps<void> {
    const hasFirst = first?.type === 'directory';
    const hasSecond = second?.type === 'directory';
    if (!hasFirst && !hasSecond) return;
    this.#stack.push({
      path,
      first: hasFirst ? yield* this.#first.children(first) : [],
      second: hasSecond ? yield* this.#second.children(second) : [],
      firstNext: 0,
      secondNext: 0,
    });
  }

  #compare(path: ByteString, first: A, second: B): Aspect[] {
    const stat = statDifferences(first, second);
    const { type } = first;
    if (type !== second.type) return ['type', ...stat];
    const aspects: Aspect[] = [];
    if (type === 'regular' && this.#isSameContent(first, second) === false) aspects.push('content');
    if (type === 'symlink' && this.#first.target(first) !== this.#second.target(second)) aspects.push('target');
    if (first.rdev !== second.rdev) aspects.push('device');
    if (type !== 'directory' && !this.#links.areSame(path, first.inode, second.inode)) aspects.push('links');
    aspects.push(...stat);
    return aspects;
  }

  /** Undefined while it is not known. */
  #isSameContent(first: A, second: B): boolean | undefined {
    if (this.#ignored.has('content')) return true;
    if (first.size !== second.size) return false;
    const a = this.#first.content(first);
    const b = this.#second.content(second);
    return a === undefined || b === undefined ? undefined : haveSameContent(a, b, this.#first.algorithm);
  }

  #isUnread(first: A, second: B): boolean {
    if (first.type !== 'regular' || second.type !== 'regular' || first.size !== second.size) return false;
    if (this.#ignored.has('content')) return false;
    return this.#first.content(first) === undefined || this.#second.content(second) === undefined;
  }

  async #read(drafts: readonly Draft<A, B>[]): Promise<void> {
    await this.#first.readContents(
      drafts.flatMap(({ first }) => (first === undefined ? [] : first)),
      this.#signal,
    );
    await this.#second.readContents(
      drafts.flatMap(({ second }) => (second === undefined ? [] : second)),
      this.#signal,
    );
  }

  /** For each added file the removed one that it was. */
  async #renames(drafts: readonly Draft<A, B>[]): Promise<Map<Draft<A, B>, Draft<A, B>>> {
    // By their sizes: only files of equal size can be the same.
    const removed = new Map<number, Draft<A, B>[]>();
    const added = new Map<number, Draft<A, B>[]>();
    for (const draft of drafts) {
      if (this.#turns.isOver()) await this.#turns.next();
      const { first, second } = draft;
      if (second === undefined) addBySize(removed, first, draft);
      else if (first === undefined) addBySize(added, second, draft);
    }
    const origins = [...removed].filter(([size]) => added.has(size)).flatMap(([, files]) => files);
    const candidates = [...added].filter(([size]) => removed.has(size)).flatMap(([, files]) => files);
    await this.#read([...origins, ...candidates]);
    const { algorithm } = this.#first;
    return await pairRenames(origins, candidates, this.#turns, ({ first, second }) => {
      const file =
        first !== undefined
          ? this.#first.content(first)
          : second !== undefined
            ? this.#second.content(second)
            : undefined;
      return file === undefined ? undefined : contentDigest(file, algorithm);
    });
  }

  #difference({ path, first, second, aspects }: Draft<A, B>, origin: Draft<A, B> | undefined): Difference {
    const before = first === undefined ? undefined : state(this.#first, first);
    const after = second === undefined ? undefined : state(this.#second, second);
    if (before !== undefined && after !== undefined) {
      return { kind: 'changed', path, aspects: ordered(aspects), before, after };
    }
    if (before !== undefined) return { kind: 'removed', path, before };
    if (after === undefined || second === undefined) throw new TypeError('a difference of nothing');
    if (origin?.first === undefined) return { kind: 'added', path, after };
    const others = statDifferences(origin.first, second).filter((aspect) => !this.#ignored.has(aspect));
    return {
      kind: 'renamed',
      path,
      from: origin.path,
      aspects: others,
      before: state(this.#first, origin.first),
      after,
    };
  }
}

/** Two files without a byte are no sign that one was moved. */
function addBySize<T>(files: Map<number, T[]>, entry: TreeEntry | undefined, file: T): void {
  if (entry === undefined || entry.type !== 'regular' || entry.size === 0) return;
  const others = files.get(entry.size);
  if (others === undefined) files.set(entry.size, [file]);
  else others.push(file);
}

function state<E extends TreeEntry>(tree: ComparableTree<E>, entry: E): EntryState {
  const { type, stat, size, rdev } = entry;
  const target = type === 'symlink' ? tree.target(entry) : undefined;
  const file = type === 'regular' ? tree.content(entry) : undefined;
  const object = file?.storage === 'external' ? file.id : undefined;
  return {
    type,
    stat,
    size,
    rdev,
    ...(target !== undefined && { target }),
    ...(object !== undefined && { object }),
  };
}

function ordered(aspects: readonly Aspect[]): Aspect[] {
  return ASPECTS.filter((aspect) => aspects.includes(aspect));
}
