import type { Block } from './port.ts';
import { identifier } from './statement-text.ts';

/** Rows of one engine block; a larger block is split so that each part has its own token and order. */
const blockRowsMax = 500_000;

/** Rows `from`…`to` of a block as a block of its own. */
function slice(block: Block, from: number, to: number): Block {
  const columns = block.columns.map((column) => {
    const values = column.values as { subarray?(from: number, to: number): ArrayLike<unknown> };
    const part = values.subarray
      ? values.subarray(from, to)
      : (Array.prototype.slice.call(column.values, from, to) as unknown[]);
    return { ...column, values: part };
  });
  return { table: block.table, rows: to - from, columns };
}

/** A block as blocks that the engine takes whole, each with a token of its own; the same parts and tokens each time. Nothing of an empty block. */
export function* blockParts(block: Block, token: string): Generator<{ block: Block; token: string }> {
  if (block.rows === 0) return;
  if (block.rows <= blockRowsMax) {
    yield { block, token };
    return;
  }
  for (let from = 0, part = 0; from < block.rows; from += blockRowsMax, part++) {
    yield { block: slice(block, from, Math.min(block.rows, from + blockRowsMax)), token: `${token}.${part}` };
  }
}

/** Names and types of a block's columns, as table expressions take them. */
export const blockStructure = (block: Block) =>
  block.columns.map((column) => `${identifier(column.name)} ${column.type}`).join(', ');

/** Names of a block's columns, for the lists of an insert. */
export const blockNames = (block: Block) => block.columns.map((column) => identifier(column.name)).join(', ');
