import type { ObjectId } from '../fsverity/object-id.js';
import type { Category } from '../repository/names/category.js';
import type { RepositoryHost } from '../repository/objects/host.js';
import { type GraphOptions, ReferenceGraph } from './reference-graph.js';

/** A step from a stream or image to what it needs. */
export interface ReasonStep {
  /** Of the named reference by which a stream names it; undefined for one of the objects of a stream or image. */
  readonly key: string | undefined;
  readonly id: ObjectId;
  /** The entry in `streams/`; undefined for what has none. */
  readonly stream: string | undefined;
}

/** Why something stays: references to an entry, and the shortest way from there. */
export interface Reason {
  readonly category: Category;
  /** The name of the entry. */
  readonly name: string;
  readonly id: ObjectId;
  /** Paths in the repository. */
  readonly refs: readonly string[];
  /** None if the entry is the thing itself. */
  readonly steps: readonly ReasonStep[];
}

interface Link {
  readonly key: string | undefined;
  readonly to: number;
}

/**
 * All entries with references that keep an object alive, with the shortest way from each. None: it is garbage.
 *
 * @throws ComposefsError where a collection would fail as well: `DANGLING_REF`, `UNEXPECTED_FILE_TYPE`, …
 */
export async function findReasons(
  repository: RepositoryHost,
  id: ObjectId,
  options: GraphOptions = {},
): Promise<Reason[]> {
  return reasonsFor(await ReferenceGraph.read(repository, { ...options, only: id }), id);
}

/** {@link findReasons} in a graph that is read already. */
export function reasonsFor(graph: ReferenceGraph, id: ObjectId): Reason[] {
  const target = graph.numberOf(id);
  if (target === undefined) return [];
  const ways = waysTo(graph, target);
  const reasons: Reason[] = [];
  for (const group of graph.groups()) {
    const start = graph.numberOf(group.id);
    if (start === undefined) continue;
    if (start === target) {
      reasons.push({ ...group, steps: [] });
    } else if (group.category === 'images') {
      if (graph.imageObjects(start).includes(target)) {
        reasons.push({ ...group, steps: [step(graph, { key: undefined, to: target })] });
      }
    } else if (ways.has(start)) {
      reasons.push({ ...group, steps: stepsFrom(graph, ways, start, target) });
    }
  }
  return reasons;
}

/** For each stream that leads to the target its next link on the shortest way there. */
function waysTo(graph: ReferenceGraph, target: number): Map<number, Link> {
  const ways = new Map<number, Link>();
  let reached = new Set<number>([target]);
  for (let isFirst = true; reached.size > 0; isFirst = false) {
    const next = new Set<number>();
    for (const [number, stream] of graph.streams()) {
      if (ways.has(number) || number === target) continue;
      const link = namedLink(stream.named, reached);
      // Only what a stream names is followed further.
      const isObject = isFirst && stream.objects.includes(target);
      if (link === undefined && !isObject) continue;
      ways.set(number, link ?? { key: undefined, to: target });
      next.add(number);
    }
    reached = next;
  }
  return ways;
}

function namedLink(named: ReadonlyMap<string, number>, wanted: ReadonlySet<number>): Link | undefined {
  for (const [key, to] of named) if (wanted.has(to)) return { key, to };
  return undefined;
}

function stepsFrom(
  graph: ReferenceGraph,
  ways: ReadonlyMap<number, Link>,
  start: number,
  target: number,
): ReasonStep[] {
  const steps: ReasonStep[] = [];
  for (let at = start; at !== target; ) {
    const link = ways.get(at);
    if (link === undefined) break;
    steps.push(step(graph, link));
    at = link.to;
  }
  return steps;
}

function step(graph: ReferenceGraph, { key, to }: Link): ReasonStep {
  return { key, id: graph.idOf(to), stream: graph.stream(to)?.name };
}
