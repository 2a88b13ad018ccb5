import type { Turns } from '../../threads/turns.js';
import type { ReferenceGraph, RootGroup } from './reference-graph.js';

/** Who shares what: for each object of a graph, how many of the things that references name need it. */
export class Shares {
  readonly graph: ReferenceGraph;
  readonly groups: readonly RootGroup[];
  readonly #holders: Uint32Array;
  /** The last visit that met an object. */
  readonly #visited: Uint32Array;
  #visit = 0;

  private constructor(graph: ReferenceGraph) {
    this.graph = graph;
    this.groups = graph.groups();
    this.#holders = new Uint32Array(graph.size);
    this.#visited = new Uint32Array(graph.size);
  }

  static async count(graph: ReferenceGraph, turns: Turns): Promise<Shares> {
    const shares = new Shares(graph);
    for (const group of shares.groups) {
      if (turns.isOver()) await turns.next();
      shares.visit([group], (number) => {
        shares.#holders[number] = (shares.#holders[number] ?? 0) + 1;
      });
    }
    return shares;
  }

  /** How many groups need an object. */
  holders(number: number): number {
    return this.#holders[number] ?? 0;
  }

  /** Calls `meet` once for each object that one of these groups needs. */
  visit(groups: Iterable<RootGroup>, meet: (number: number) => void): void {
    this.#visit += 1;
    const pending: number[] = [];
    for (const { category, id } of groups) {
      const number = this.graph.numberOf(id);
      if (number === undefined) continue;
      if (category === 'streams') pending.push(number);
      else {
        this.#meet(number, meet);
        for (const object of this.graph.imageObjects(number)) this.#meet(object, meet);
      }
    }
    this.#follow(pending, meet);
  }

  /** Calls `meet` once for each object that a stream leads to, with the stream itself. */
  visitStream(stream: number, meet: (number: number) => void): void {
    this.#visit += 1;
    this.#follow([stream], meet);
  }

  #follow(pending: number[], meet: (number: number) => void): void {
    const streams = new Set(pending);
    for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
      this.#meet(number, meet);
      const stream = this.graph.stream(number);
      if (stream === undefined) continue;
      for (const object of stream.objects) this.#meet(object, meet);
      for (const target of stream.named.values()) {
        if (streams.has(target)) continue;
        streams.add(target);
        pending.push(target);
      }
    }
  }

  #meet(number: number, meet: (number: number) => void): void {
    if (this.#visited[number] === this.#visit) return;
    this.#visited[number] = this.#visit;
    meet(number);
  }
}
