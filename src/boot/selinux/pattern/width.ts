import type { PatternNode } from './pattern-node.js';

/** How many bytes something takes. */
export interface Width {
  readonly min: number;
  /** Infinite, if nothing bounds it. */
  readonly max: number;
}

export function widthOf(node: PatternNode): Width {
  switch (node.type) {
    case 'bytes':
      return { min: node.bytes.length, max: node.bytes.length };
    case 'set':
      return { min: 1, max: 1 };
    case 'assertion':
    case 'lookaround':
      return { min: 0, max: 0 };
    case 'sequence':
      return node.parts.map(widthOf).reduce((a, b) => ({ min: a.min + b.min, max: a.max + b.max }), { min: 0, max: 0 });
    case 'alternatives':
      return node.options.map(widthOf).reduce((a, b) => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }));
    case 'repeat': {
      const { min, max } = widthOf(node.node);
      // Zero times infinity is nothing.
      return { min: min * node.min, max: max === 0 ? 0 : max * node.max };
    }
  }
}
